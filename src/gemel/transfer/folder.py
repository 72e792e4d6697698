"""A local folder, or a mounted share, as the place of a release: exchanged in one rename."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from gemel.core.artifacts import MANIFEST
from gemel.core.drafts import draft_beside, put_in_place
from gemel.transfer.errors import TransferError
from gemel.transfer.listing import Listing


@dataclass(frozen=True)
class FolderPlace:
    """folder: that is the release, absolute."""

    folder: Path

    def prepare(self) -> None:
        """Refuse a folder that holds something else, as that would be lost."""
        expect_release_or_nothing(self.folder)

    def manifest(self) -> bytes | None:
        """As Place."""
        path = self.folder / MANIFEST
        return path.read_bytes() if path.is_file() else None

    def put(self, folder: Path, listing: Listing, former: Listing | None) -> None:  # noqa: ARG002
        """As Place. A linker that watches the folder takes up the new release."""
        with draft_beside(self.folder) as draft:
            _copy(folder, listing, draft)
            (draft / MANIFEST).write_bytes(listing.content)
            put_in_place(draft, self.folder)

    def get(self, listing: Listing, into: Path) -> None:
        """As Place."""
        _copy(self.folder, listing, into)


def expect_release_or_nothing(folder: Path) -> None:
    """Refuse a target that is neither a release, nor empty, nor absent.

    Raises: TransferError, naming it.
    """
    if folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir())):
        return
    if folder.exists():
        raise TransferError(
            f"{folder}: something that is no release lies there, and would be lost; name another folder"
        )


def _copy(source: Path, listing: Listing, into: Path) -> None:
    for name in listing.files:
        to = into / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, to)
