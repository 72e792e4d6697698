"""Bounds on the work and memory that an image file may cost, all of them by count and none by the clock.

So a file that is refused on one machine is refused on all.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from gemel.core.errors import ImageError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 100_000_000
# Vision encoders enlarge the shorter side to some 224 pixels before they cut the middle out: a line of 20,000 x 1 would
# become 4,480,000 x 224.
MAX_ASPECT = 200
# Pillow reads each chunk, segment, block and tag on its own, a million in some two seconds.
MAX_READS = 500_000
# Passes of a JPEG over the whole picture: libtiff's own limit; cameras write about ten.
MAX_SCANS = 100
MAX_STRIPS = 100_000
# Pillow unpacks each colour profile of a PNG to up to 1 MiB, and copies all EXIF data of a JPEG to append more.
REPEATED_PARTS = (b"iCCP", b"Exif\0\0")
MAX_REPEATS = 64
# Run-length BMPs are decoded in Python, pixel by pixel.
MAX_RUN_LENGTH_PIXELS = 25_000_000

# What follows 0xFF in a JPEG and stands before a length: all but stuffing, fill bytes, TEM, restarts and the start.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
_BIG_TIFF = 43
_TIFF_OFFSETS = (273, 324)  # of strips, of tiles
_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323


class Source(io.BytesIO):
    """An image's bytes, to be read at most MAX_READS times.

    where: names the image in errors.
    """

    def __init__(self, data: bytes, where: str) -> None:
        super().__init__(data)
        self._where = where
        self._reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Raises: ImageError if this is one read too many."""
        self._reads += 1
        if self._reads > MAX_READS:
            raise ImageError(f"{self._where}: made of more than {MAX_READS} parts; save it anew")
        return super().read(size)


def check_file(data: bytes, where: str) -> None:
    """Check what costs work before Pillow says how large the image is.

    Raises: ImageError if a part is repeated too often, or a TIFF has too many strips or too large tiles.
    """
    for part in REPEATED_PARTS:
        if data.count(part) > MAX_REPEATS:
            raise ImageError(f"{where}: more than {MAX_REPEATS} parts {part!r}; save it anew")
    from PIL.TiffImagePlugin import PREFIXES

    if data[:4] in PREFIXES:
        _check_tiff(data, where)


def check_image(image: ImageFile, data: bytes, where: str) -> None:
    """Check an image that is open but not yet decoded.

    Raises: ImageError if it has no pixels, too many, or nearly all in one line, or too many scans.
    """
    run_length = any(tile.codec_name == "bmp_rle" for tile in image.tile)
    _check_pixels(image.width, image.height, where, MAX_RUN_LENGTH_PIXELS if run_length else MAX_PIXELS)
    if max(image.size) > MAX_ASPECT * min(image.size):
        raise ImageError(f"{where}: {image.width} x {image.height}, more than {MAX_ASPECT} to 1; cut the middle out")
    if image.format in ("JPEG", "MPO"):
        _check_scans(data, where)


def _check_pixels(width: int, height: int, where: str, limit: int) -> None:
    if width * height > limit:
        raise ImageError(f"{where}: {width} x {height} is more than the {limit} pixels allowed; scale it down")
    if width * height == 0:
        raise ImageError(f"{where}: {width} x {height}, an image without pixels")


def _check_tiff(data: bytes, where: str) -> None:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2(data[: 16 if data[2] == _BIG_TIFF else 8])
    source = Source(data, where)
    source.seek(tags.next)
    tags.load(source)
    if any(len(tags.get(tag, ())) > MAX_STRIPS for tag in _TIFF_OFFSETS):
        raise ImageError(f"{where}: more than {MAX_STRIPS} strips or tiles; save it anew")
    # A tile is unpacked whole, also where it reaches beyond the picture.
    _check_pixels(tags.get(_TIFF_TILE_WIDTH, 1), tags.get(_TIFF_TILE_LENGTH, 1), where, MAX_PIXELS)


def _check_scans(data: bytes, where: str) -> None:
    """A scan without data takes 10 bytes in the file, and the decoder as long as a whole one."""
    scans, place = 0, 0
    for _ in range(MAX_READS):
        found = _JPEG_MARKER.search(data, place)
        if found is None or data[found.end() - 1] == _JPEG_END:
            return
        scans += data[found.end() - 1] == _JPEG_SCAN
        if scans > MAX_SCANS:
            break
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    raise ImageError(f"{where}: more than {MAX_SCANS} scans, or {MAX_READS} segments; save it anew")
