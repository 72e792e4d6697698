"""A model repository of the Hugging Face hub as the place of a release: pushed in one commit, pulled at one."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError

from gemel.core.artifacts import MANIFEST
from gemel.transfer.errors import TransferError
from gemel.transfer.listing import Listing

_ADDRESS = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class HubPlace:
    """repo: owner/name. revision: branch, tag or commit; None: the main branch. public: as in open_place."""

    repo: str
    revision: str | None
    public: bool = False
    api: HfApi = field(default_factory=lambda: HfApi())

    @classmethod
    def of(cls, address: str, *, public: bool) -> HubPlace:
        """The place of hf://owner/name[@revision].

        Raises: TransferError if it is no such address.
        """
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise TransferError(f"{address}: expected hf://owner/name or hf://owner/name@revision; correct the address")
        return cls(found["repo"], found["revision"], public)

    def prepare(self) -> None:
        """Make the repository, a private one unless it is to be public, and the branch."""
        self.api.create_repo(self.repo, private=not self.public, exist_ok=True)
        if self.revision is not None:
            self.api.create_branch(self.repo, branch=self.revision, exist_ok=True)

    def manifest(self) -> bytes | None:
        """As Place."""
        try:
            path = self.api.hf_hub_download(self.repo, MANIFEST, revision=self._commit())
        except EntryNotFoundError:
            return None
        return Path(path).read_bytes()

    def put(self, folder: Path, listing: Listing, former: Listing | None) -> None:  # noqa: ARG002
        """As Place. One commit brings all files and removes the others, so nobody sees half of it."""
        self.api.upload_folder(
            repo_id=self.repo,
            folder_path=folder,
            revision=self.revision,
            commit_message=f"Release {listing.digest[:16]} of data set {listing.facts['dataset']}",
            allow_patterns=[*listing.files, MANIFEST],
            delete_patterns=["*"],
        )

    def get(self, listing: Listing, into: Path) -> None:
        """As Place."""
        names = list(listing.files)
        self.api.snapshot_download(self.repo, revision=self._commit(), local_dir=into, allow_patterns=names)
        shutil.rmtree(into / ".cache", ignore_errors=True)

    def _commit(self) -> str | None:
        return self.api.model_info(self.repo, revision=self.revision).sha
