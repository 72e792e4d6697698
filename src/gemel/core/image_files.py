"""Where a data set's images lie, and how their bytes are had by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from gemel.core.errors import ImageError
from gemel.core.images import read_bytes


class ImageFiles(Protocol):
    """Image files by name. It can be pickled, for worker processes.

    These must be spawned or come from a fork server: the threads of network drivers do not survive a fork, and a reader
    in a forked process would wait for ever.
    """

    def where(self, name: str) -> str:
        """What errors call the file."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises: ImageError, beginning with `where`, if the name leaves the place, there is no such file, it is not a
        regular one, it is too large, or it can't be read.
        """
        ...


@dataclass(frozen=True)
class ImageFolder:
    """Images named relative to a local folder."""

    folder: Path

    def where(self, name: str) -> str:
        """The file's path."""
        return str(self.folder / name)

    def read(self, name: str) -> bytes:
        """As ImageFiles. Links are followed: DVC itself may put links into its cache in place of the files."""
        if leaves_folder(name):
            raise ImageError(f"{self.where(name)}: outside the data set")
        return read_bytes(self.folder / name)


def with_slashes(name: str) -> str:
    """A name with / between its parts: Windows writes \\ there, and no other system reads that so."""
    return name.replace("\\", "/")


def leaves_folder(name: str) -> bool:
    """Whether a relative name points outside the folder it is relative to, by its words alone."""
    path = PurePosixPath(with_slashes(name))
    return path.is_absolute() or ".." in path.parts
