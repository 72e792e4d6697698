"""Is every byte what it was? Artifacts against their manifests and DVC's hashes, DVC's cache against its names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gemel.core.artifacts import MANIFEST, read_manifest
from gemel.core.errors import ArtifactError
from gemel.registry.stored import LOCK, file_md5, folder_md5

_FOLDER = ".dir"
_WHOLE, _DAMAGED, _ABSENT = "whole", "damaged", "absent"


@dataclass(frozen=True)
class CacheReport:
    """What was found in DVC's cache.

    checked: objects that were hashed. damaged: those that were something else; they are removed. absent: those that
    were not there, as after a pull of some stages alone. unlisted: outputs whose list of files is among these, so that
    the files were not looked at: fetch, then verify again.
    """

    checked: int
    damaged: tuple[str, ...]
    absent: tuple[str, ...]
    unlisted: tuple[str, ...]


def verify_artifacts(root: Path) -> tuple[str, ...]:
    """Hash every file of the outputs that dvc.lock names.

    root: of the project. Outputs that aren't there are passed over: nobody reads them.
    Returns: a sentence for each damaged output, with the file where its manifest tells; none if all is well.
    Raises: ArtifactError if there is no dvc.lock to compare with.
    """
    return tuple(said for stage, path, md5 in _outputs(root) if (said := _damage(stage, root / path, md5)))


def verify_cache(root: Path) -> CacheReport:
    """Hash every object of DVC's cache that data.dvc, any other *.dvc file or dvc.lock names; remove the damaged ones.

    DVC by itself believes an object that is read-only, and all of its cache are. `dvc fetch` brings the removed back.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        outs = {out.hash_info.value: str(out) for out in repo.index.outs if out.use_cache and out.hash_info}
        states = _states(repo, list(outs))
    damaged, absent = (tuple(oid for oid, state in states.items() if state == bad) for bad in (_DAMAGED, _ABSENT))
    unlisted = tuple(name for oid, name in outs.items() if oid.endswith(_FOLDER) and states[oid] != _WHOLE)
    return CacheReport(len(states) - len(absent), damaged, absent, unlisted)


def drop_damaged(root: Path, oid: str) -> None:
    """Hash one output's objects in DVC's cache and remove the damaged, as verify_cache. oid: its hash in dvc.lock."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        _states(repo, [oid])


def _states(repo: Any, tops: Sequence[str]) -> dict[str, str]:
    """The state of some outputs' objects in the cache, and of the files that they list; the damaged are removed."""
    from dvc_data.hashfile.db import HashFileDB
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree
    from dvc_objects.fs.local import LocalFileSystem

    # Not DVC's own kind of local cache, which believes; and without its memory of hashes, as a bit that flips on the
    # disk changes no date.
    cache = HashFileDB(LocalFileSystem(), repo.cache.local.path)
    states = {oid: _state(cache, oid) for oid in tops}
    for oid in tops:
        if oid.endswith(_FOLDER) and states[oid] == _WHOLE:
            files = {file.value for _, _, file in Tree.load(cache, HashInfo("md5", oid))}
            states |= {file: _state(cache, file) for file in files - states.keys()}
    return states


def _state(cache: Any, oid: str) -> str:
    from dvc_objects.errors import ObjectFormatError

    try:
        cache.check(oid)
    except FileNotFoundError:
        return _ABSENT
    except ObjectFormatError:
        return _DAMAGED
    return _WHOLE


def _outputs(root: Path) -> Iterator[tuple[str, str, str]]:
    """Stage, path and DVC's hash of each output."""
    lock = root / LOCK
    if not lock.is_file():
        raise ArtifactError(f"{lock}: no such file, so nothing says what the artifacts should be; run `dvc repro`")
    for stage, recorded in (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {}).items():
        for out in recorded.get("outs", ()):
            yield stage, out["path"], out["md5"]


def _md5(path: Path) -> str:
    """DVC's hash of what is there; empty if nothing is."""
    if path.is_dir():
        return folder_md5(path)
    return file_md5(path) if path.exists() else ""


def _damage(stage: str, path: Path, md5: str) -> str:
    """What is wrong with an output; empty if nothing is."""
    found = _md5(path)
    if found in ("", md5):
        return ""
    try:
        if (path / MANIFEST).is_file():
            read_manifest(path, stage, check_hashes=True)
    except ArtifactError as error:
        return str(error)
    what = f"{MANIFEST}, or a file that it does not list, is not" if (path / MANIFEST).is_file() else "not"
    return f"{path}: {what} what {LOCK} says ({found} instead of {md5}); run `dvc repro {stage}`"
