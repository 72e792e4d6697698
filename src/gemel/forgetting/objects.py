"""Versions in DVC's cache and in a remote: the objects that hold posts, found by their content."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from gemel.core.errors import DataError
from gemel.forgetting import documents
from gemel.forgetting.files import held_in_file
from gemel.forgetting.trace import Trace
from gemel.transfer.dvc_remote import expect_reachable
from gemel.transfer.errors import in_words

FOLDER = ".dir"
# Their rows are known by a file beside them, so they are judged with it.
_JUDGED_WITH = {"index.parquet", "images.json", "corpus.parquet", "image_vectors.parquet"}
_LOOKED_INTO = frozenset({".jsonl", ".parquet", *documents.ENDINGS})


@dataclass
class Versions:
    """The objects of one store.

    names: of each object, in the folders that hold it. folders: what each folder's version holds, by its object.
    """

    store: Any
    oids: frozenset[str]
    folders: Mapping[str, Mapping[str, str]]
    names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def cache_of(repo: Any) -> Any:
    """DVC's local cache."""
    return repo.cache.local


def remote_of(repo: Any) -> Any | None:
    """The default remote's objects; None without one. Raises: TransferError if it can't be opened."""
    from dvc.config import NoRemoteError

    with in_words("DVC's default remote"):
        try:
            return repo.cloud.get_remote_odb()
        except NoRemoteError:
            return None


def versions_in(store: Any) -> Versions:
    """List a store. Raises: TransferError if it can't be reached."""
    with in_words(str(store.path)):
        expect_reachable(store)
        oids = frozenset(store.all()) if store.fs.exists(store.path) else frozenset()
        folders = {oid: _entries(store, oid) for oid in oids if oid.endswith(FOLDER)}
    versions = Versions(store, oids, folders)
    for entries in folders.values():
        for name, oid in entries.items():
            versions.names[oid].add(name)
    return versions


def objects_held(versions: Versions, trace: Trace, known: dict[str, bool]) -> frozenset[str]:
    """The objects of a store that hold a post: files by their content, folders by their files.

    known: what was found of other stores' objects, which equal ids have too; it is added to.
    Raises: TransferError if an object can't be read.
    """
    held = {oid for oid in versions.oids if not oid.endswith(FOLDER) and _is_held(versions, oid, trace, known)}
    for entries in versions.folders.values():
        held |= _beside(entries, held) & versions.oids
    held |= {oid for oid, entries in versions.folders.items() if held & {*entries.values()}}
    return frozenset(held)


def delete_objects(store: Any, oids: Iterable[str], spared: Collection[str] = ()) -> int:
    """Delete objects that are there. spared: those that stay. Returns: how many were deleted.

    Raises: TransferError if the store can't be reached or refuses.
    """
    deleted = 0
    with in_words(str(store.path)):
        expect_reachable(store)
        for oid in oids:
            if oid not in spared and store.exists(oid):
                store.delete(oid)
                deleted += 1
    return deleted


def in_use(repo: Any) -> frozenset[str]:
    """The objects that the data are made of as data.dvc records them now."""
    found: set[str] = set()
    for stage in repo.index.stages:
        for out in stage.outs if stage.is_data_source else ():
            if out.hash_info and out.hash_info.value:
                found.add(out.hash_info.value)
                with contextlib.suppress(FileNotFoundError):
                    found |= {*_entries(cache_of(repo), out.hash_info.value).values()}
    return frozenset(found)


def _is_held(versions: Versions, oid: str, trace: Trace, known: dict[str, bool]) -> bool:
    if oid in trace.objects:
        return True
    if oid not in known:
        named = {PurePosixPath(name) for name in versions.names[oid]}
        shown = [name for name in named if name.suffix.lower() in _LOOKED_INTO]
        # A picture is known by its id, and what is neither named nor a picture is looked into.
        known[oid] = bool(shown or not named) and _holds(versions.store, oid, shown, trace)
    return known[oid]


def _holds(store: Any, oid: str, names: list[PurePosixPath], trace: Trace) -> bool:
    with in_words(str(store.path)), _file_of(store, oid) as path:
        try:
            return any(held_in_file(path, trace, str(name)) for name in names or [PurePosixPath("")])
        except DataError:
            # Damaged: nobody can say what it holds, and nothing can be made of it.
            return True


def _beside(entries: Mapping[str, str], held: Collection[str]) -> set[str]:
    """Arrays in the folder of a file that names their rows and is held."""
    told = {str(PurePosixPath(name).parent) for name, oid in entries.items() if oid in held and _tells(name)}
    return {oid for name, oid in entries.items() if name.endswith(".npy") and str(PurePosixPath(name).parent) in told}


def _tells(name: str) -> bool:
    return PurePosixPath(name).name in _JUDGED_WITH


@contextlib.contextmanager
def _file_of(store: Any, oid: str) -> Iterator[Path]:
    """An object as a file here."""
    if store.fs.protocol == "local":
        yield Path(store.oid_to_path(oid))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object"
        store.fs.get_file(store.oid_to_path(oid), str(path))
        yield path


def _entries(store: Any, oid: str) -> dict[str, str]:
    """Names and ids of the files in a folder's version."""
    if not oid.endswith(FOLDER):
        return {}
    with _file_of(store, oid) as path:
        return {each["relpath"]: each["md5"] for each in json.loads(path.read_text(encoding="utf-8"))}
