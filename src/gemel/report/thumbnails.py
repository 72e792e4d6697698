"""Small pictures of a data set's images, as data URIs that a page holds in itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel.core.config import PARAMS, parse_section, read_params
from gemel.core.errors import GemelError, ImageError
from gemel.core.image_archive import open_images
from gemel.core.image_files import ImageFiles
from gemel.core.images import decode_image
from gemel.core.settings import ImagesSettings

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDE = 160
QUALITY = 70
MOST_BYTES = 24 * 1024 * 1024
REASONS = {"none": "the post has no image", "vector": "only the image's vector was imported"}


@dataclass(frozen=True)
class Thumbnails:
    """Pictures, each once. uris: by the image's SHA-256. reasons: why an image that a post has is not among them."""

    uris: Mapping[str, str]
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class _Unavailable:
    """Images none of which can be had: a report without pictures is still a report."""

    reason: str

    def where(self, name: str) -> str:
        """As ImageFiles."""
        return name

    def read(self, name: str) -> bytes:
        """As ImageFiles: always an error."""
        raise ImageError(f"{name}: {self.reason}")


def thumbnails(posts: Iterable[Mapping[str, Any]], data: Path, most_bytes: int = MOST_BYTES) -> Thumbnails:
    """Make a thumbnail of each readable image.

    posts: rows with image, image_sha256 and image_status, the most important first: when all thumbnails together would
    take more than `most_bytes`, the others are left out with that reason. data: the data set's folder, `data/NAME` of
    the workspace whose params.yaml says where its images lie.
    """
    uris: dict[str, str] = {}
    reasons: dict[str, str] = {}
    files, left = _open(data), most_bytes
    for post in posts:
        sha256 = post["image_sha256"]
        if post["image_status"] != "read" or sha256 in uris or sha256 in reasons:
            continue
        if left <= 0:
            reasons[sha256] = "left out to keep this page small"
            continue
        try:
            uris[sha256] = _data_uri(decode_image(files.read(post["image"]), files.where(post["image"])))
            left -= len(uris[sha256])
        except GemelError as error:
            reasons[sha256] = str(error)
    return Thumbnails(uris, reasons)


def reason(post: Mapping[str, Any], made: Thumbnails) -> str:
    """Why there is no picture of a post; empty if there is one. post: as for thumbnails, and image_reason."""
    if post["image_status"] == "read":
        return made.reasons.get(post["image_sha256"], "")
    return REASONS.get(post["image_status"], "") or str(post["image_reason"] or post["image_status"])


def _open(data: Path) -> ImageFiles:
    path = data.parent.parent / PARAMS
    try:
        root = parse_section(read_params(path).get("images"), "images", ImagesSettings, path).root
        return open_images(data, root)
    except GemelError as error:
        return _Unavailable(str(error))


def _data_uri(image: Image.Image) -> str:
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
