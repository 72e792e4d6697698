"""Pull a release from a place: into a draft, every byte checked, then in one rename to where it is wanted."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from gemel.bundle import read_bundle
from gemel.core.artifacts import MANIFEST
from gemel.core.drafts import draft_beside, put_in_place
from gemel.core.errors import ArtifactError, GemelError
from gemel.release_facts import read_facts
from gemel.transfer.errors import TransferError, in_words
from gemel.transfer.folder import expect_release_or_nothing
from gemel.transfer.listing import Listing, parse_listing
from gemel.transfer.places import Place, open_place

_ADVICE = "what was there stays; pull again, or have the release pushed again"


@dataclass(frozen=True)
class Pulled:
    """listing: of what lies in the folder now. already: whether it lay there before."""

    listing: Listing
    already: bool


def pull_release(source: str, into: Path) -> Pulled:
    """Bring a release into a folder. What it says of itself is checked before anything is written.

    into: the release's folder; one that lies there is replaced when the new one is whole.
    Raises: ArtifactError if the release is damaged, of a newer format, or lists what no release has; TransferError if
    there is none, the place can't be used, the folder holds something else, or the disk has no room.
    """
    # A link stays, and what it leads to is exchanged.
    into = into.resolve()
    place = open_place(source)
    with in_words(source):
        content = place.manifest()
    if content is None:
        raise TransferError(f"{source}: no release there, or its push was not finished; check the address")
    listing = parse_listing(content, source)
    expect_release_or_nothing(into)
    if _is_there(into, listing):
        return Pulled(listing, already=True)
    with in_words(str(into)):
        _expect_room(into, listing)
        with draft_beside(into) as draft:
            _fill(draft, place, listing, source)
            put_in_place(draft, into)
    return Pulled(listing, already=False)


def _fill(draft: Path, place: Place, listing: Listing, source: str) -> None:
    """Bring the files, and check them as whoever opens the release will."""
    with in_words(source):
        place.get(listing, draft)
    (draft / MANIFEST).write_bytes(listing.content)
    try:
        read_facts(draft, check_hashes=True, advice=_ADVICE)
        read_bundle(draft)
    except GemelError as error:
        raise ArtifactError(str(error).replace(str(draft), source)) from error
    # Whatever the readers of its files raise.
    except Exception as error:
        raise ArtifactError(f"{source}: can't be opened ({type(error).__name__}: {error}); {_ADVICE}") from error


def _is_there(into: Path, listing: Listing) -> bool:
    try:
        read_facts(into, check_hashes=True)
    except ArtifactError:
        return False
    return (into / MANIFEST).read_bytes() == listing.content


def _expect_room(into: Path, listing: Listing) -> None:
    disk = next(folder for folder in into.parents if folder.is_dir())
    free = shutil.disk_usage(disk).free
    if free < listing.bytes:
        raise TransferError(
            f"{into}: the release has {listing.bytes} bytes, the disk has {free} free; free some space, or name "
            "another folder"
        )
