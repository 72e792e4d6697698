"""The places of a project that hold posts, each with what is done about it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock

from gemel.core.artifacts import MANIFEST
from gemel.forgetting import vectors
from gemel.forgetting.artifacts import held_in_artifact, rewrite_artifact, stage_of
from gemel.forgetting.files import held_in_file, rewrite_file
from gemel.forgetting.pictures import ENDINGS as PICTURES
from gemel.forgetting.trace import Trace
from gemel.registry.pointer import RELEASES
from gemel.stages import CHANGES, DATA, PROGRESS

ARTIFACTS = Path("artifacts")
POSTS, DEMONSTRATIONS = "posts.jsonl", "demonstrations.jsonl"
RUNS, JOURNALS = PROGRESS / "runs", PROGRESS / "forgetting"
# What commands wrote beside the artifacts; a page there is made again by its command.
PAGES = (Path("reports"), Path("dvc_plots"), Path("outputs"), Path("multirun"))
# The service's feedback has one; whoever holds it is alone with the folder.
LOCK, PATIENCE = ".lock", 20.0


@dataclass(frozen=True)
class Place:
    """where: a path from the project's root, or the name of another store. held: rows, vectors, pictures and
    quotations. what: becomes of it. remove: does so; a second time changes nothing.
    """

    where: str
    held: int
    what: str
    remove: Callable[[], object]


def in_artifacts(root: Path, trace: Trace) -> Iterator[Place]:
    """The stages' artifacts, and those among the progress: shards, what a killed change had put aside."""
    for folder in _artifact_folders(root):
        if held := held_in_artifact(folder, trace):
            yield Place(_name(root, folder), held, "rewritten", partial(rewrite_artifact, folder, folder, trace))


def in_runs(root: Path, trace: Trace) -> Iterator[Place]:
    """Worktrees of retraining runs that did not end; no run is under way."""
    for run in _folders(root / RUNS):
        if any(held_in_file(path, trace) for path in _files(run)):
            yield Place(_name(root, run), 1, "deleted", partial(_delete_worktree, root, run))


def in_loose_files(root: Path, trace: Trace) -> Iterator[Place]:
    """All other files of the project's own folders; those that say which posts there are come last."""
    inside = [*_artifact_folders(root), root / RUNS, root / RELEASES, root / JOURNALS]
    found = [path for place in (ARTIFACTS, PROGRESS) for path in _files(root / place)]
    loose = [path for path in found if not any(path.is_relative_to(each) for each in inside)]
    yield from _of_files(root, sorted(loose, key=lambda path: path.suffix == ".jsonl"), trace)
    for path in (path for place in PAGES for path in _files(root / place)):
        if held := held_in_file(path, trace):
            yield Place(_name(root, path), held, "deleted", path.unlink)


def in_data(root: Path, trace: Trace) -> Iterator[Place]:
    """The data sets and the changes to them; the file that says which posts there are comes last."""
    for folder in (*_folders(root / CHANGES), *_folders(root / DATA)):
        index = folder / vectors.BROUGHT_INDEX
        if index.is_file() and (held := held_in_file(index, trace)):
            name = _name(root, folder / vectors.BROUGHT)
            yield Place(name, held, "rewritten", partial(vectors.rewrite_brought, folder, trace))
        own = [path for path in _files(folder) if _of_a_data_set(folder, path)]
        yield from _of_files(root, sorted(own, key=lambda path: path.suffix == ".jsonl"), trace)


def _of_a_data_set(folder: Path, path: Path) -> bool:
    """Whether a file below data/ can hold posts: frozen models lie there too."""
    there = any((folder / name).is_file() for name in (POSTS, DEMONSTRATIONS))
    return there and path.suffix.lower() in {".jsonl", ".parquet", *PICTURES} and path.name != vectors.BROUGHT_INDEX


def _of_files(root: Path, paths: list[Path], trace: Trace) -> Iterator[Place]:
    for path in paths:
        if held := held_in_file(path, trace):
            deleted = path.suffix.lower() in PICTURES
            yield Place(_name(root, path), held, "deleted" if deleted else "rewritten", partial(_rewrite, path, trace))


def _delete_worktree(root: Path, run: Path) -> None:
    shutil.rmtree(run, ignore_errors=True)
    subprocess.run(["git", "worktree", "prune"], cwd=root, capture_output=True, check=False)


def _rewrite(path: Path, trace: Trace) -> None:
    lock = path.parent / LOCK
    with FileLock(lock, timeout=PATIENCE) if lock.exists() else contextlib.nullcontext():
        if path.is_file():
            rewrite_file(path, trace)


def _artifact_folders(root: Path) -> list[Path]:
    found = sorted(path.parent for place in (ARTIFACTS, PROGRESS) for path in (root / place).rglob(MANIFEST))
    others = [root / RUNS, root / RELEASES]
    return [each for each in found if stage_of(each) and not any(each.is_relative_to(other) for other in others)]


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
