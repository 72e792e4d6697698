"""Image files that are a post's picture, whatever their names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gemel.core.artifacts import file_sha256
from gemel.forgetting.trace import Trace

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


def is_held(path: Path, trace: Trace) -> bool:
    """Whether a file is one of the pictures."""
    return path.stat().st_size in trace.sizes and file_sha256(path) in trace.pictures


def file_md5(path: Path) -> str:
    """MD5 of a file's bytes, as hex digits: how DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
