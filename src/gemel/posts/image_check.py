"""Whether the images that posts name can be read, found out by decoding each of them once."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PureWindowsPath
from types import MappingProxyType
from typing import Literal, get_args

from gemel.core.errors import ImageError, ImageNotFoundError
from gemel.core.image_files import ImageFiles
from gemel.core.images import decode_image

ImageStatus = Literal["read", "vector", "none", "missing", "unreadable"]
IMAGE_STATUSES: tuple[ImageStatus, ...] = get_args(ImageStatus)
USABLE: tuple[ImageStatus, ...] = ("read", "vector")
# Each thread holds an image of up to images.LARGE_PIXELS while it decodes, so more cost memory for little gain.
MOST_THREADS = 8
# A million waiting tasks would take more than a GB.
QUEUED = 4096
URL = re.compile(r"data:|[A-Za-z][A-Za-z0-9+.-]+://")
DOWNLOAD = "download it into the data set's folder and name the file, as in images/a.jpg"


@dataclass(frozen=True, slots=True)
class ImageCheck:
    """What became of a post's image.

    status: "read", "vector" (the data set has its vector), "none" (the post names no image), "missing" (no such file)
    or "unreadable". reason: why it isn't read, or None. sha256: of the file that was read, or of the vector's bytes.
    """

    status: ImageStatus
    reason: str | None = None
    sha256: str | None = None


def check_images(
    files: ImageFiles, names: Iterable[str], vectors: Mapping[str, str] = MappingProxyType({})
) -> dict[str, ImageCheck]:
    """Check each image once, however often it is named.

    vectors: name -> SHA-256 of the vector of an image that is there as a vector; its file is not read.
    Returns: the result for each name.
    """

    def check(name: str) -> ImageCheck:
        return ImageCheck("vector", sha256=vectors[name]) if name in vectors else _check_image(files, name)

    distinct = list(dict.fromkeys(names))
    checks: dict[str, ImageCheck] = {}
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        for start in range(0, len(distinct), QUEUED):
            some = distinct[start : start + QUEUED]
            checks |= zip(some, threads.map(check, some), strict=True)
    return checks


def _check_image(files: ImageFiles, name: str) -> ImageCheck:
    if URL.match(name):
        return ImageCheck("missing", f"a URL, and images are not fetched; {DOWNLOAD}")
    if PureWindowsPath(name).drive:
        return ImageCheck("unreadable", "outside the data set")
    where = f"{files.where(name)}: "
    try:
        content = files.read(name)
        decode_image(content, files.where(name))
    except ImageError as error:
        status: ImageStatus = "missing" if isinstance(error, ImageNotFoundError) else "unreadable"
        return ImageCheck(status, str(error).removeprefix(where))
    return ImageCheck("read", sha256=hashlib.sha256(content).hexdigest())
