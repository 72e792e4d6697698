"""Forgetting posts: what there is is found, derived places are rewritten, the data last, then old versions are deleted.

The data come last because they say what to look for: whatever is cut off before is found and done again by the next
call. What is left to do behind that needs no words, and stands in the journal.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gemel.core.errors import ArtifactError, RequestError
from gemel.forgetting.finding import Found, find_posts, unknown_post
from gemel.forgetting.history import commits_losing
from gemel.forgetting.journal import Journal, begin, finish, read_journal
from gemel.forgetting.objects import (
    cache_of,
    delete_objects,
    in_use,
    objects_held,
    remote_of,
    versions_in,
)
from gemel.forgetting.places import Place, in_artifacts, in_data, in_loose_files, in_runs
from gemel.forgetting.releases import in_model_store, in_releases
from gemel.living import LOCK, PATIENCE
from gemel.registry.lease import RETRAINING, Lease
from gemel.transfer.errors import TransferError

DATA_FILE = "data.dvc"
DERIVED = (in_artifacts, in_releases, in_model_store, in_runs, in_loose_files)


@dataclass(frozen=True)
class Plan:
    """What there is of posts, and what is done about it.

    places: in the order of their doing. cached, remote: objects of DVC's cache and default remote that hold a post.
    unreached: why the remote could not be looked at; "" where it could, or there is none. known: journals of earlier
    calls, by id. keep_history: whether the objects stay.
    """

    ids: tuple[str, ...]
    found: Found
    places: tuple[Place, ...] = ()
    cached: frozenset[str] = frozenset()
    remote: frozenset[str] = frozenset()
    unreached: str = ""
    known: dict[str, Journal] = field(default_factory=dict)
    keep_history: bool = False

    @property
    def objects(self) -> frozenset[str]:
        """All objects to delete, those too that a call which was cut off had noted."""
        return self.cached | self.remote | {oid for each in self.known.values() for oid in each.objects}

    @property
    def is_done(self) -> bool:
        """Whether an earlier call did all of it."""
        done = all(id_ in self.known and self.known[id_].done for id_ in self.ids)
        return done and not self.places and (self.keep_history or not self.objects)


@dataclass(frozen=True)
class Done:
    """rewritten: places. cached, remote: objects deleted. lost: commits that can't be checked out whole any more.
    unreached: why the remote still has its objects; "" where it hasn't.
    """

    rewritten: int
    cached: int
    remote: int
    lost: tuple[str, ...] = ()
    unreached: str = ""


def plan(root: Path, ids: Sequence[str], *, keep_history: bool = False, even_test: bool = False) -> Plan:
    """Look for posts wherever the project may hold them; nothing is changed.

    keep_history: leave DVC's cache and remote as they are. even_test: take posts of the test set too.
    Raises: RequestError if nothing knows an id, or a post belongs to the test set; DataError if a file can't be read.
    """
    found = find_posts(root, ids)
    known = {id_: journal for id_ in ids if (journal := read_journal(root, id_)) is not None}
    for id_ in found.missing:
        if id_ not in known:
            raise unknown_post(root, id_)
    if found.tested and not even_test:
        raise RequestError(
            f"{', '.join(map(repr, found.tested))}: in the test set, which is frozen so that releases can be compared; "
            "add --even-test if it must go: figures from before are not comparable then"
        )
    if not found.posts:
        return Plan(tuple(ids), found, known=known, keep_history=keep_history)
    places = tuple(place for holder in (*DERIVED, in_data) for place in holder(root, found.trace))
    cached, remote, unreached = _versions(root, found)
    return Plan(tuple(ids), found, places, cached, remote, unreached, known, keep_history)


def carry_out(root: Path, what: Plan) -> Done:
    """Do what was planned. Called again after a kill, with a new plan, it goes on.

    Raises: LeaseError if a retraining run is under way; ArtifactError if another change is, a place can't be written,
    or DVC can't record the data.
    """
    with _alone(root):
        begin(root, what.ids, what.objects)
        for place in what.places:
            _remove(place)
        with _opened(root) as repo:
            if repo is None:
                finish(root, what.ids)
                return Done(len(what.places), 0, 0)
            _record(root, repo)
            if what.keep_history:
                finish(root, what.ids, kept=what.objects)
                return Done(len(what.places), 0, 0)
            spared = in_use(repo)
            lost = commits_losing(root, what.objects - spared)
            cached = delete_objects(cache_of(repo), what.objects, spared)
            remote, unreached = _delete_from_remote(repo, what.objects - spared)
        if not unreached:
            finish(root, what.ids)
        return Done(len(what.places), cached, remote, lost, unreached)


def still_there(root: Path, found: Found) -> list[str]:
    """Places that hold the posts now: none, if nothing wrote them again meanwhile."""
    return [place.where for holder in (*DERIVED, in_data) for place in holder(root, found.trace)]


def stages_to_run(root: Path) -> tuple[str, ...]:
    """The stages that `dvc repro` does again now that the data are others, in their order; none without DVC."""
    with _opened(root) as repo:
        if repo is None:
            return ()
        changed, found = {str(root / "data")}, []
        waiting = [stage for stage in repo.index.stages if not stage.is_data_source]
        while ready := [stage for stage in waiting if any(_reads(dep.fs_path, changed) for dep in stage.deps)]:
            found += [stage.addressing for stage in ready]
            changed |= {out.fs_path for stage in ready for out in stage.outs}
            waiting = [stage for stage in waiting if stage not in ready]
        return tuple(found)


def _remove(place: Place) -> None:
    try:
        place.remove()
    except OSError as error:
        raise ArtifactError(
            f"{place.where}: can't be rewritten ({error}); mend that and run the same command again"
        ) from error


def _reads(path: str, changed: set[str]) -> bool:
    return any(Path(path).is_relative_to(each) for each in changed)


def _versions(root: Path, found: Found) -> tuple[frozenset[str], frozenset[str], str]:
    with _opened(root) as repo:
        if repo is None:
            return frozenset(), frozenset(), ""
        known: dict[str, bool] = {}
        cached = objects_held(versions_in(cache_of(repo)), found.trace, known)
        try:
            store = remote_of(repo)
            remote = frozenset() if store is None else objects_held(versions_in(store), found.trace, known)
        except TransferError as error:
            return cached, frozenset(), str(error)
        return cached, remote, ""


def _delete_from_remote(repo: Any, objects: frozenset[str]) -> tuple[int, str]:
    try:
        store = remote_of(repo)
        return (0 if store is None else delete_objects(store, objects)), ""
    except TransferError as error:
        return 0, str(error)


def _record(root: Path, repo: Any) -> None:
    from dvc.exceptions import DvcException

    if not (root / DATA_FILE).is_file():
        return
    try:
        repo.commit(str(root / DATA_FILE), force=True)
    except DvcException as error:
        raise ArtifactError(f"{DATA_FILE}: DVC can't record it ({error}); mend that and run the same again") from error


@contextlib.contextmanager
def _opened(root: Path) -> Iterator[Any]:
    """The DVC project; None where there is none."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import SCMError

    try:
        repo = Repo(os.fspath(root.absolute()))
    except (NotDvcRepoError, SCMError):
        yield None
        return
    with contextlib.closing(repo):
        yield repo


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    (root / LOCK).parent.mkdir(exist_ok=True)
    try:
        with Lease(root / RETRAINING, "gemel forget"), FileLock(root / LOCK, timeout=PATIENCE):
            yield
    except Timeout:
        raise ArtifactError(f"{LOCK}: another change has gone on for {PATIENCE:.0f} s; try again later") from None
