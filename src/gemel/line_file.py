"""A file of lines that several processes append to, each while it holds a lock, and that a kill leaves readable."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where a line lies: its first byte, and its bytes with the line feed."""

    start: int
    length: int


class LineFile:
    """Reads what others appended since, and appends.

    Only lines with their line feed count: one without was torn by a kill or a power cut. Nobody was told that it is
    kept, and the next append takes its place. end: bytes of the whole lines that were read. torn: bytes behind them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end, self.torn = 0, 0
        self._file: int | None = None

    def is_another(self) -> bool:
        """Whether the lines that were read are no longer there: the file was moved away, or cut."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return self.end > 0
        return (self._file is not None and found.st_ino != self._file) or found.st_size < self.end

    def forget(self) -> None:
        """Read from the beginning again."""
        self.end, self.torn, self._file = 0, 0, None

    def read_on(self) -> list[tuple[Place, bytes]]:
        """The whole lines behind those that were read, without their line feeds."""
        try:
            with self.path.open("rb") as file:
                self._file = os.fstat(file.fileno()).st_ino
                file.seek(self.end)
                data = file.read()
        except FileNotFoundError:
            return []
        *lines, torn = data.split(b"\n")
        found = []
        for line in lines:
            found.append((Place(self.end, len(line) + 1), line))
            self.end += len(line) + 1
        self.torn = len(torn)
        return found

    def read(self, places: Iterable[Place]) -> Iterator[bytes]:
        """The lines at some places, with their line feeds."""
        with self.path.open("rb") as file:
            for place in places:
                file.seek(place.start)
                yield file.read(place.length)

    def append(self, line: bytes) -> None:
        """Append a line behind all that was read, in place of a torn one; it is on the disk then."""
        append_at(self.path, self.end, line)


def append_at(path: Path, end: int, line: bytes) -> None:
    """Write a line at a byte of a file and cut off what lies behind; it is on the disk then."""
    with path.open("ab") as file:
        file.truncate(end)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def write_through(path: Path, data: bytes) -> None:
    """Write a file; it is on the disk then."""
    path.unlink(missing_ok=True)
    append_at(path, 0, data)
