"""Reading images: one decoder for validation, feature extraction and serving, so that all agree on what is readable."""

from __future__ import annotations

import functools
import io
import stat
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gemel.core.artifacts import file_sha256
from gemel.core.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 100_000_000


def read_image(path: Path) -> Image.Image:
    """Decode an image file completely.

    Returns: RGB, 8 bits a channel, upright (EXIF rotation applied), first frame, transparent parts on white.
    Raises: ImageError if the file is missing, not a regular file, larger than MAX_BYTES or can't be decoded.
    """
    return decode_image(_read_bytes(path), str(path))


def decode_image(data: bytes, where: str) -> Image.Image:
    """Decode an image that is in memory already, as read_image does.

    where: names the image in errors.
    Raises: ImageError if the bytes are no image of FORMATS, are damaged, or hold more than MAX_PIXELS.
    """
    from PIL import UnidentifiedImageError

    pillow = _pillow()
    if len(data) > MAX_BYTES:
        raise ImageError(f"{where}: {len(data)} bytes, more than the {MAX_BYTES} allowed; scale the image down")
    try:
        with pillow.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image.width, image.height, where)
            image.load()
            return _to_rgb(_upright(image))
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{where}: not an image of {', '.join(FORMATS)} ({_head(data)})") from None
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise ImageError(f"{where}: more than the {MAX_PIXELS} pixels allowed ({error}); scale it down") from None
    except Exception as error:
        # Damaged files make Pillow's decoders raise nearly anything: OSError, SyntaxError, struct.error, IndexError, …
        found = f"{type(error).__name__}: {error}"
        raise ImageError(f"{where}: can't be decoded, the file may be damaged ({found})") from error


def image_sha256(path: Path) -> str:
    """SHA-256 of an image file's bytes, as hex digits: the key of its vector in the feature store.

    Raises: ImageError if the file can't be read.
    """
    try:
        return file_sha256(path)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: can't be read ({error})") from None


@functools.cache
def _pillow() -> ModuleType:
    """Pillow's Image module, imported late and told to refuse decompression bombs (a process-wide setting)."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    return Image


def _read_bytes(path: Path) -> bytes:
    try:
        facts = path.stat()
        # A pipe or a device would block or never end.
        if not stat.S_ISREG(facts.st_mode):
            raise ImageError(f"{path}: not a regular file")
        if facts.st_size > MAX_BYTES:
            raise ImageError(f"{path}: {facts.st_size} bytes, more than the {MAX_BYTES} allowed; scale the image down")
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: can't be read ({error})") from None


def _check_pixels(width: int, height: int, where: str) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(f"{where}: {width} x {height} is more than the {MAX_PIXELS} pixels allowed; scale it down")
    if width * height == 0:
        raise ImageError(f"{where}: {width} x {height}, an image without pixels")


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # Damaged EXIF data doesn't make the picture itself unreadable: it is taken as it lies.
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _scaled(image, (0.0, 65535.0))
    if image.mode in ("I", "F"):
        return _scaled(image, None)
    if image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _scaled(image: Image.Image, limits: tuple[float, float] | None) -> Image.Image:
    """Map low..high to 0..255; a plain convert would clip everything above 255 to white.

    limits: low and high; None where the mode states no range: then the darkest value is black, the lightest white.
    """
    import numpy as np

    values = np.asarray(image, dtype=np.float32)
    finite = values[np.isfinite(values)]
    low, high = limits or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0))
    span = high - low if high > low else 1.0
    values = np.nan_to_num((values - low) / span, nan=0.0, posinf=1.0, neginf=0.0)
    gray = (values.clip(0.0, 1.0) * 255.0).round().astype(np.uint8)
    scaled: Image.Image = _pillow().fromarray(gray).convert("RGB")
    return scaled


def _on_white(image: Image.Image) -> Image.Image:
    colours = image.convert("RGBA")
    canvas: Image.Image = _pillow().new("RGB", colours.size, "white")
    canvas.paste(colours, mask=colours.getchannel("A"))
    return canvas


def _head(data: bytes) -> str:
    return f"{len(data)} bytes, beginning with {data[:8]!r}" if data else "the file is empty"
