"""Push a release to a place: whole, or as if it had never been begun."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gemel.core.artifacts import MANIFEST
from gemel.release_facts import EMBED, REFERENCE, Backbone, read_facts
from gemel.transfer.errors import TransferError, in_words
from gemel.transfer.listing import Listing, parse_listing
from gemel.transfer.places import open_place


@dataclass(frozen=True)
class Pushed:
    """listing: of what lies at the target now. already: whether it lay there before."""

    listing: Listing
    already: bool


def push_release(
    release: Path, target: str, *, backbone: Backbone | None = None, replace: bool = False, public: bool = False
) -> Pushed:
    """Bring a release to a place, where it is the folder, the prefix or the repository itself.

    backbone: "embed" to push it with its frozen models; None: as it is. replace: put it in place of another release.
    public: as in open_place.
    Raises: ArtifactError if the release is damaged; BackboneError if it can't be embedded; TransferError if another
    release lies there, or the place can't be used.
    """
    read_facts(release, check_hashes=True)
    with _as_wanted(release, backbone) as folder:
        listing = parse_listing((folder / MANIFEST).read_bytes(), str(release))
        place = open_place(target, public=public)
        with in_words(target):
            place.prepare()
            content = place.manifest()
            if content == listing.content:
                return Pushed(listing, already=True)
            if content is not None and not replace:
                raise TransferError(
                    f"{target}: another release lies there; push to another place, or with --replace in its place"
                )
            place.put(folder, listing, None if content is None else parse_listing(content, target))
    return Pushed(listing, already=False)


@contextlib.contextmanager
def _as_wanted(release: Path, backbone: Backbone | None) -> Iterator[Path]:
    """The folder to push: the release, or for as long as it is pushed one with its models beside it."""
    held = read_facts(release)["backbone"]
    if backbone is None or backbone == held:
        yield release
        return
    if backbone == REFERENCE:
        raise TransferError(f"{release}: holds its frozen models; only `dvc repro release` makes one that names them")
    # It brings torch, which a release that goes as it is need not wait for.
    from gemel.embedding import embed

    # Beside it, so that hard links can be made.
    with tempfile.TemporaryDirectory(prefix=f".{release.name}.{EMBED}-", dir=release.absolute().parent) as folder:
        embed(release, Path(folder) / release.name)
        yield Path(folder) / release.name
