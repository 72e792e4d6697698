"""A store of objects as S3 is one, for tests: it states etags, counts what is read, and can fail."""

from __future__ import annotations

import hashlib
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class ObjectStore(MemoryFileSystem):
    """store://…: files in memory with the MD5 of their bytes as etag.

    read: paths whose bytes were read. failing: raised for the paths named; None: for all.
    """

    protocol = "store"
    store: dict[str, Any] = {}  # noqa: RUF012 - of the class, as in its base
    pseudo_dirs = [""]  # noqa: RUF012
    read: list[str] = []  # noqa: RUF012
    failing: tuple[Exception, str | None] | None = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("store://").strip("/") if path.strip("/") else ""

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """As its base, with an etag."""
        self._fail(path)
        facts: dict[str, Any] = super().info(path, **options)
        if facts["type"] == "file":
            facts["ETag"] = f'"{hashlib.md5(self.store[facts["name"]].getvalue()).hexdigest()}"'
        return facts

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """As its base, counted."""
        self._fail(path)
        type(self).read.append(path)
        content: bytes = super().cat_file(path, start, end, **options)
        return content

    def _fail(self, path: str) -> None:
        if self.failing and (self.failing[1] is None or path.endswith(self.failing[1])):
            raise self.failing[0]


fsspec.register_implementation("store", ObjectStore, clobber=True)


def empty_store() -> type[ObjectStore]:
    """The object store without files, reads and failures."""
    ObjectStore.store.clear()
    ObjectStore.read.clear()
    ObjectStore.failing = None
    return ObjectStore
