"""An object store as the place of a release, or whatever else fsspec has a driver for.

A store has no rename: files go first, the manifest last, and what lies there without a manifest is no release. While
files go there, UNDER_WAY holds the manifest that they belong to, so that the next push knows which are whole: an object
is there whole or not at all.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from gemel.core.artifacts import MANIFEST
from gemel.core.errors import ArtifactError
from gemel.transfer.errors import TransferError
from gemel.transfer.listing import MAX_MANIFEST, Listing, parse_listing

UNDER_WAY = "push.json"
_CHUNK = 2**20


class StorePlace:
    """address: of the release, as s3://bucket/prefix."""

    def __init__(self, address: str) -> None:
        """Raises: TransferError if fsspec has no driver for it."""
        from fsspec.core import url_to_fs

        try:
            self._fs, root = url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise TransferError(
                f"{address}: no driver for this kind of place ({error}); for S3 run `pip install 'gemel[s3]'`"
            ) from error
        self._address, self._root = address, root.rstrip("/")
        self._fs.invalidate_cache()

    def prepare(self) -> None:
        """Nothing: a store has no folders, and a bucket is its owner's to make."""

    def manifest(self) -> bytes | None:
        """As Place."""
        return self._read(MANIFEST)

    def put(self, folder: Path, listing: Listing, former: Listing | None) -> None:
        """As Place. Of an interrupted push of the same release only what is missing goes there."""
        if former is not None:
            # From here on it is as if its push had not been finished.
            self._fs.pipe_file(self._path(UNDER_WAY), former.content)
            self._fs.rm_file(self._path(MANIFEST))
        there = self._whole(listing)
        for name in listing.files.keys() - there:
            self._fs.put_file(str(folder / name), self._path(name))
        self._fs.pipe_file(self._path(MANIFEST), listing.content)
        self._fs.rm_file(self._path(UNDER_WAY))

    def get(self, listing: Listing, into: Path) -> None:
        """As Place. A file that is longer than listed is cut off, which its hash then shows."""
        for name, file in listing.files.items():
            to = into / name
            to.parent.mkdir(parents=True, exist_ok=True)
            with self._fs.open(self._path(name), "rb") as source, to.open("wb") as target:
                left = file.bytes + 1
                while left and (part := source.read(min(_CHUNK, left))):
                    target.write(part)
                    left -= len(part)

    def _whole(self, listing: Listing) -> set[str]:
        """The files of a release that an interrupted push brought; those of another one are removed."""
        left = self._read(UNDER_WAY)
        if left == listing.content:
            return {name for name, file in listing.files.items() if self._size(name) == file.bytes}
        if left is not None:
            with contextlib.suppress(ArtifactError):
                for name in parse_listing(left, self._address).files:
                    if self._size(name) is not None:
                        self._fs.rm_file(self._path(name))
        self._fs.pipe_file(self._path(UNDER_WAY), listing.content)
        return set()

    def _read(self, name: str) -> bytes | None:
        size = self._size(name)
        if size is None:
            return None
        if size > MAX_MANIFEST:
            raise ArtifactError(
                f"{self._address}: its {name} has {size} bytes, so it is no release's; correct the address"
            )
        return bytes(self._fs.cat_file(self._path(name)))

    def _size(self, name: str) -> int | None:
        try:
            info: dict[str, Any] = self._fs.info(self._path(name))
        except FileNotFoundError:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"
