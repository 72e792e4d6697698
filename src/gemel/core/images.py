"""Reading images: one decoder for validation, feature extraction and serving, so that all agree on what is readable."""

from __future__ import annotations

import functools
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gemel.core.errors import ImageError, ImageNotFoundError
from gemel.core.image_bounds import MAX_PIXELS, Source, check_file, check_image

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image
    from PIL.ImageFile import ImageFile

# Vectors of images are kept and found again under this number. Raise it with every change of the pixels that the same
# bytes give here: rotation, transparency, the scale of 16-bit and float images, the choice of a frame.
PREPROCESSING = 1
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_BYTES = 50 * 1024 * 1024
# While it is decoded, an image takes up to 20 bytes a pixel: large ones wait for each other.
LARGE_PIXELS = 25_000_000
_large_image = threading.Lock()
_ORIENTATION = 0x0112


def read_image(path: Path) -> Image.Image:
    """Decode an image file completely.

    Returns: RGB, 8 bits a channel, upright (EXIF rotation applied), first frame, transparent parts on white.
    Raises: ImageError if the file is missing, not a regular file, larger than MAX_BYTES or can't be decoded.
    """
    return decode_image(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Read an image file, undecoded.

    Raises: ImageError if the file is missing, not a regular file, larger than MAX_BYTES or can't be read.
    """
    try:
        facts = path.stat()
        # A pipe or a device would block or never end.
        if not stat.S_ISREG(facts.st_mode):
            raise ImageError(f"{path}: not a regular file")
        if facts.st_size > MAX_BYTES:
            raise ImageError(f"{path}: {facts.st_size} bytes, more than the {MAX_BYTES} allowed; scale the image down")
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageNotFoundError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: can't be read ({error})") from None


def decode_image(data: bytes, where: str) -> Image.Image:
    """Decode an image that is in memory already, as read_image does.

    where: names the image in errors.
    Raises: ImageError if the bytes are no image of FORMATS, are damaged, or break a bound of image_bounds.
    """
    with opened_image(data, where) as image, _large_image if _is_large(image) else nullcontext():
        image.load()
        return _to_rgb(_upright(image))


@contextmanager
def opened_image(data: bytes, where: str) -> Iterator[ImageFile]:
    """Open an image within the bounds of image_bounds, its pixels not decoded yet.

    Raises: as decode_image, also for what is raised while it is open.
    """
    from PIL import UnidentifiedImageError

    pillow = _pillow()
    if len(data) > MAX_BYTES:
        raise ImageError(f"{where}: {len(data)} bytes, more than the {MAX_BYTES} allowed; scale the image down")
    try:
        check_file(data, where)
        with pillow.open(Source(data, where), formats=FORMATS) as image:
            check_image(image, data, where)
            yield image
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


def _is_large(image: Image.Image) -> bool:
    return image.width * image.height > LARGE_PIXELS


@functools.cache
def _pillow() -> ModuleType:
    """Pillow's Image module, imported late and told to refuse decompression bombs (a process-wide setting)."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    return Image


def _upright(image: Image.Image) -> Image.Image:
    """Turn it as its EXIF data says. Pillow's own exif_transpose also rewrites that data, and fails on any odd tag."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Damaged EXIF data doesn't make the picture itself unreadable: it is taken as it lies.
        return image
    return image if turn is None else image.transpose(turn)


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

    low, high = limits or _value_range(image)
    span = high - low if high > low else 1.0
    gray = _pillow().new("L", image.size)
    for top, values in _bands(image):
        shares = np.nan_to_num((values - low) / span, nan=0.0, posinf=1.0, neginf=0.0)
        levels = (shares.clip(0.0, 1.0) * 255.0).round().astype(np.uint8)
        gray.paste(_pillow().fromarray(levels), (0, top))
    scaled: Image.Image = gray.convert("RGB")
    return scaled


def _value_range(image: Image.Image) -> tuple[float, float]:
    """The least and the greatest finite value."""
    import numpy as np

    finite = [values[np.isfinite(values)] for _, values in _bands(image)]
    ends = [(float(some.min()), float(some.max())) for some in finite if some.size]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 1.0)


def _bands(image: Image.Image) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Top row and values of about a million pixels at a time: arrays of a whole large image would fill the memory."""
    import numpy as np

    rows = max(1, 1_000_000 // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        yield top, np.asarray(band, dtype=np.float32)


def _on_white(image: Image.Image) -> Image.Image:
    colours = image if image.mode == "RGBA" else image.convert("RGBA")
    canvas: Image.Image = _pillow().new("RGB", colours.size, "white")
    canvas.paste(colours, mask=colours.getchannel("A"))
    return canvas


def _head(data: bytes) -> str:
    return f"{len(data)} bytes, beginning with {data[:8]!r}" if data else "the file is empty"
