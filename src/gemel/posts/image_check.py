"""Whether the images that posts name can be read, found out by decoding each of them once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from gemel.core.errors import ImageError
from gemel.core.images import image_sha256, read_image

ImageStatus = Literal["read", "none", "missing", "unreadable"]
IMAGE_STATUSES: tuple[ImageStatus, ...] = get_args(ImageStatus)
# Each thread holds an image of up to images.LARGE_PIXELS while it decodes, so more cost memory for little gain.
MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class ImageCheck:
    """What became of a post's image.

    status: "read", "none" (the post names no image), "missing" (no such file) or "unreadable".
    reason: why it isn't read, or None. sha256: of the file, only where it was read.
    """

    status: ImageStatus
    reason: str | None = None
    sha256: str | None = None


def check_images(folder: Path, images: Sequence[str | None]) -> list[ImageCheck]:
    """Check images named relative to a data set's folder; one result for each name, in their order."""
    names = list(dict.fromkeys(image for image in images if image is not None))
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        checks = dict(zip(names, threads.map(lambda name: _check_image(folder, name), names), strict=True))
    return [ImageCheck("none") if image is None else checks[image] for image in images]


def leaves_folder(image: str) -> bool:
    """Whether a relative name points outside the folder it is relative to, by its words alone.

    Links are followed: DVC itself may put links into its cache in place of the files.
    """
    path = PurePosixPath(image.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts


def _check_image(folder: Path, name: str) -> ImageCheck:
    if leaves_folder(name):
        return ImageCheck("unreadable", "outside the data set")
    path = folder / name
    try:
        if not path.exists():
            return ImageCheck("missing", "no such file")
        read_image(path)
        return ImageCheck("read", sha256=image_sha256(path))
    except ImageError as error:
        return ImageCheck("unreadable", str(error).removeprefix(f"{path}: "))
    except OSError as error:
        return ImageCheck("unreadable", f"can't be read ({error.strerror})")
