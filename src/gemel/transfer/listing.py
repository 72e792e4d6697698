"""The manifest of a release from elsewhere: read with suspicion, before a single file is written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from gemel.core.artifacts import FORMAT, MANIFEST
from gemel.core.errors import ArtifactError
from gemel.release_facts import complete_facts

MAX_MANIFEST = 16 * 2**20
# Tables, arrays, weights, text: none that runs on being opened. No pickle (.bin, .pkl, .pt), no code.
KINDS = (".json", ".md", ".model", ".npy", ".parquet", ".safetensors", ".tsv", ".txt")
_PART = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.+=-]{0,126}[A-Za-z0-9_+=-])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ADVICE = "don't use it; get the release again from whoever made it"


@dataclass(frozen=True)
class Listed:
    """A file of a release as its manifest has it."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    """A manifest that was found to be harmless. content: its bytes. files: by their names in the release."""

    content: bytes
    facts: dict[str, Any]
    files: Mapping[str, Listed]

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which itself holds the hash of each file: it names the release."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files.values())


def parse_listing(content: bytes, where: str) -> Listing:
    """Read a manifest.

    Raises: ArtifactError if it is damaged or no release's, of a newer format, or a file's name leads out of the
    release or is of a kind that a release does not have.
    """
    try:
        manifest = json.loads(content)
        stage, written, table = manifest["stage"], manifest["format"], manifest["files"]
        files = {name: Listed(entry["bytes"], entry["sha256"]) for name, entry in table.items()}
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ArtifactError(f"{where}: {MANIFEST} is damaged ({type(error).__name__}: {error}); {_ADVICE}") from None
    if stage != "release" or written != FORMAT:
        raise ArtifactError(
            f"{where}: expected a release, found format {written!r} of stage {stage!r}; correct the address"
        )
    for name, file in files.items():
        _check_name(name, where)
        if not _is_size(file.bytes) or not isinstance(file.sha256, str) or not _SHA256.fullmatch(file.sha256):
            raise ArtifactError(f"{where}: {name!r} is listed without a size and a SHA-256; {_ADVICE}")
    _check_distinct(files, where)
    return Listing(content, complete_facts(manifest.get("facts"), where, _ADVICE), files)


def _check_name(name: str, where: str) -> None:
    if not all(_PART.fullmatch(part) for part in name.split("/")):
        raise ArtifactError(f"{where}: lists {name!r}, which is no plain name inside a release; {_ADVICE}")
    if PurePosixPath(name).suffix not in KINDS:
        raise ArtifactError(
            f"{where}: lists {name!r}; a release has files of the kinds {', '.join(KINDS)} alone, as others could run "
            f"code; {_ADVICE}"
        )


def _check_distinct(files: Mapping[str, Listed], where: str) -> None:
    """No two names that are one on a disk that does not tell capitals, and none that is a folder of another."""
    names = {name.lower() for name in files}
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    if len(names) < len(files) or names & folders or MANIFEST in names:
        raise ArtifactError(f"{where}: two of its files would be one on the disk; {_ADVICE}")


def _is_size(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0
