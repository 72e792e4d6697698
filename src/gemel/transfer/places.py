"""The places that a release is pushed to or pulled from, by their addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gemel.core.image_root import SECRET
from gemel.transfer.errors import TransferError
from gemel.transfer.listing import Listing

HUB = "hf://"


class Place(Protocol):
    """Where a release lies, or is to lie. Methods raise what their clients raise."""

    def prepare(self) -> None:
        """Make what has to be there before something is pushed."""
        ...

    def manifest(self) -> bytes | None:
        """The manifest that lies there; None if there is none."""
        ...

    def put(self, folder: Path, listing: Listing, former: Listing | None) -> None:
        """Bring a release there: whole, or as if there were none.

        folder: that holds the files. former: the release that it takes the place of.
        """
        ...

    def get(self, listing: Listing, into: Path) -> None:
        """Bring the listed files into an existing folder, unchecked."""
        ...


def open_place(address: str, *, public: bool = False) -> Place:
    """The place of an address: a local folder, a URL of fsspec's (s3://…), or hf://owner/name[@revision].

    public: whether a repository of the hub that isn't there yet is made public.
    Raises: TransferError if it is none, or holds a password.
    """
    if SECRET.search(address):
        raise TransferError(
            f"{address.split('://')[0]}://…: the address holds a password or a query; leave it out, and give "
            "credentials by the environment or a profile"
        )
    if address.startswith(HUB):
        from gemel.transfer.hub import HubPlace

        return HubPlace.of(address, public=public)
    if "://" in address:
        from gemel.transfer.store import StorePlace

        return StorePlace(address)
    from gemel.transfer.folder import FolderPlace

    return FolderPlace(Path(address).resolve())
