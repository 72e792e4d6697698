"""Artifacts on disk: whole or absent.

An artifact is a folder. It is written under a temporary name beside its target, gets its manifest last, and is renamed
into place. A reader accepts a folder only if its manifest is there, of a known format, and true.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from gemel.core.drafts import draft_beside, put_in_place
from gemel.core.errors import ArtifactError

FORMAT = 1
MANIFEST = "manifest.json"


@contextlib.contextmanager
def new_artifact(target: Path, stage: str, facts: Mapping[str, Any]) -> Iterator[Path]:
    """Give a temporary folder to write into; on leaving without an error it becomes the artifact `target`.

    stage: the DVC stage that makes it, named in errors. facts: JSON-able facts for the manifest (row counts, model
    ids, tokenizer fingerprint); the mapping is read on leaving, so that it can be filled while writing.
    A failure leaves the former artifact as it was and no half-written folder.
    """
    with draft_beside(target) as draft:
        yield draft
        manifest = {"format": FORMAT, "stage": stage, "facts": dict(facts), "files": _file_table(draft)}
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        put_in_place(draft, target)


def read_manifest(
    artifact: Path, stage: str, *, check_hashes: bool = False, advice: str | None = None
) -> dict[str, Any]:
    """Return the facts of an artifact after checking that it is whole.

    Every file must be there with the size that the manifest states; with check_hashes also with its SHA-256.
    advice: what to do about one that isn't whole; None: run its stage.
    Raises: ArtifactError with the advice.
    """
    advice = advice or f"run `dvc repro {stage}`"
    try:
        manifest = json.loads((artifact / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{artifact}: no {MANIFEST}, so it was never finished; {advice}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{artifact / MANIFEST}: damaged ({error}); {advice}") from error
    if not isinstance(manifest, dict):
        raise ArtifactError(f"{artifact / MANIFEST}: damaged (it holds no object); {advice}")
    if manifest.get("format") != FORMAT or manifest.get("stage") != stage:
        found = f"format {manifest.get('format')!r} of stage {manifest.get('stage')!r}"
        raise ArtifactError(f"{artifact}: expected format {FORMAT} of stage {stage!r}, found {found}; {advice}")
    files, facts = manifest.get("files"), manifest.get("facts")
    if not (_are_files(files) and isinstance(facts, dict)):
        raise ArtifactError(f"{artifact / MANIFEST}: damaged (its files or its facts are none); {advice}")
    for name, entry in files.items():
        _check_file(artifact / name, entry, check_hashes, advice)
    return facts


def expect_fact(artifact: Path, facts: Mapping[str, Any], key: str, wanted: object, stage: str) -> None:
    """Refuse an artifact that was built for something else.

    Raises: ArtifactError if the fact `key` differs from `wanted`.
    """
    if facts.get(key) != wanted:
        raise ArtifactError(
            f"{artifact}: built for {key} {facts.get(key)!r}, but {wanted!r} is in use; run `dvc repro {stage}`"
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def artifact_hash(artifact: Path) -> str:
    """SHA-256 of an artifact's manifest, which itself holds the hash of each file."""
    return file_sha256(artifact / MANIFEST)


def _file_table(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in files
    }


def _are_files(files: object) -> TypeGuard[dict[str, dict[str, Any]]]:
    """Whether this is what _file_table made; a flipped bit may have changed a key, or turned an object into a text."""
    return isinstance(files, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("bytes"), int) and isinstance(entry.get("sha256"), str)
        for entry in files.values()
    )


def _check_file(path: Path, entry: Mapping[str, Any], check_hashes: bool, advice: str) -> None:
    if not path.is_file():
        raise ArtifactError(f"{path}: missing, though its manifest lists it; {advice}")
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise ArtifactError(f"{path}: {size} bytes, but its manifest says {entry['bytes']} (truncated?); {advice}")
    if check_hashes and file_sha256(path) != entry["sha256"]:
        raise ArtifactError(f"{path}: its SHA-256 differs from the manifest's (damaged?); {advice}")
