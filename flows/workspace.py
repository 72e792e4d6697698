"""A git worktree in which a run changes data, trains and commits, while the checkout stays as it is.

Runs form a line of commits, a branch of their own. A worktree of it lies in .gemel/runs/, has DVC's cache of the
checkout, and stays after a kill, so that the next run with the same inputs goes on where it was.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from flows.commands import DVC, Log, end_all_inside, read_output, run_logged
from gemel.core.drafts import whole_file
from gemel.core.errors import DataError, GemelError
from gemel.registry.errors import RegistryError
from gemel.registry.git import commit_of, expect_identity
from gemel.registry.git import git as run_git
from gemel.registry.tags import PATTERNS
from gemel.registry.verification import verify_cache
from gemel.stages.posts import FAILED

RUNS = Path(".gemel/runs")
LOCK_FILE, DATA_FILE = "dvc.lock", "data.dvc"
DIGITS = 12
READY = Path(".gemel/ready")


class MovedError(GemelError):
    """The line of runs has other commits than those that this run stands on."""


@dataclass(frozen=True)
class Line:
    """The branch of runs. root: the checkout. followed: the branch whose commits it takes over."""

    root: Path
    branch: str
    followed: str

    @property
    def ref(self) -> str:
        """The branch's full name."""
        return f"refs/heads/{self.branch}"

    def heads(self) -> tuple[str, str]:
        """Commits of the line, which begins at the followed branch, and of the followed branch.

        Raises: DataError if there is no commit to follow, or somebody works on the line itself.
        """
        followed = _commit(self.root, self.followed)
        if followed is None:
            raise DataError(f"{self.root}: no branch or commit {self.followed!r} to follow; set `follow` to one")
        self._refuse_checked_out()
        return _commit(self.root, self.ref) or followed, followed

    def move(self, new: str, former: str) -> None:
        """Make a commit the head of the line, if its head still is the former one, or the line isn't there yet.

        Raises: MovedError if another run moved it.
        """
        there = _commit(self.root, self.ref)
        try:
            git(self.root, "update-ref", self.ref, new, former if there else "0" * 40)
        except RegistryError as error:
            raise MovedError(
                f"branch {self.branch} is no longer at {former[:12]}: another run moved it ({error}); start this again"
            ) from None

    def keep(self, run: str, commit: str) -> str:
        """Keep the whole commit of a run that was not promoted, away from the line. Returns: its ref."""
        ref = f"refs/{self.branch}/{run}"
        git(self.root, "update-ref", ref, commit)
        return ref

    def push(self, remote: str) -> None:
        """Push the line, once there is one, and the tags of the registry, no others.

        Raises: RegistryError with git's words.
        """
        if _commit(self.root, self.ref) is not None:
            git(self.root, "push", "--quiet", remote, self.ref, *(f"{tags}:{tags}" for tags in PATTERNS))

    def _refuse_checked_out(self) -> None:
        folder = ""
        for line in git(self.root, "worktree", "list", "--porcelain").splitlines():
            folder = line.removeprefix("worktree ") if line.startswith("worktree ") else folder
            if line == f"branch {self.ref}":
                raise DataError(
                    f"{folder}: is on branch {self.branch}, which retraining moves; switch to another branch there"
                )


@dataclass(frozen=True)
class Workspace:
    """A worktree. head: the line's commit as it was found. base: that with the followed branch's, which the run stands
    on.
    """

    folder: Path
    head: str
    base: str

    def commit(self, message: str, *paths: str) -> str:
        """Commit some paths as they are. Returns: the commit, the present one if nothing changed."""
        git(self.folder, "add", "--all", "--", *[path for path in paths if (self.folder / path).exists()])
        if git(self.folder, "status", "--porcelain", "--untracked-files=no"):
            git(self.folder, "commit", "--quiet", "--no-verify", "--message", message)
        return git(self.folder, "rev-parse", "HEAD")

    def commit_alone(self, message: str, path: str, source: str) -> str:
        """A commit on the base that has nothing of another commit but one path. source: that other commit."""
        git(self.folder, "checkout", "--quiet", "--force", "--detach", self.base)
        git(self.folder, "checkout", "--quiet", source, "--", path)
        return self.commit(message, path)


def git(root: Path, *words: str) -> str:
    """What a git command prints, without the spaces around it. Raises: RegistryError."""
    return run_git(root, *words).strip()


def current_branch(root: Path) -> str:
    """The branch that a checkout is on, else its commit.

    Raises: DataError if the folder is no checkout.
    """
    try:
        return git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    except RegistryError:
        commit = _commit(root, "HEAD")
    if commit is None:
        raise DataError(f"{root}: no git checkout with a commit; runs are kept in git, so start from a clone")
    return commit


@contextlib.contextmanager
def workspace(line: Line, log: Log) -> Iterator[Workspace]:
    """A worktree at the head of the line, with the followed branch's commits and the data of DVC.

    What a killed run left there is taken over if it stood on the same commits, else removed: stages that it brought up
    to date stay so, and training goes on. The data are those of the base in any case. On leaving without an error the
    worktree is removed; after one it stays, for a look and for the next run.
    Raises: DataError if the followed branch can't be merged; CommandError if the data can't be had; RegistryError if
    git doesn't know in whose name to commit.
    """
    expect_identity(line.root)
    head, followed = line.heads()
    folder = line.root / RUNS / f"{head[:DIGITS]}-{followed[:DIGITS]}"
    for left in sorted((line.root / RUNS).glob("*")):
        if end_all_inside(left):
            log.warning(f"{left.name}: processes of a killed run were ended")
        if left != folder or _commits(left) is None:
            shutil.rmtree(left)
    # Not only after a removal: of one that was killed git may still know the folder.
    git(line.root, "worktree", "prune")
    if (found := _commits(folder)) is not None:
        log.info(f"{folder.name}: going on where a killed run was")
        _restore(line.root, folder, found[1], log)
    else:
        found = _make(line, folder, head, followed, log)
    yield Workspace(folder, *found)
    shutil.rmtree(folder)
    git(line.root, "worktree", "prune")


def _restore(root: Path, folder: Path, base: str, log: Log) -> None:
    """Give a taken-over worktree the commit and the data of its base; dvc.lock stays as far as it came."""
    for lock in Path(git(folder, "rev-parse", "--absolute-git-dir")).glob("*.lock"):
        lock.unlink()  # of a git command that was killed
    reached = (folder / LOCK_FILE).read_text(encoding="utf-8") if (folder / LOCK_FILE).is_file() else ""
    git(folder, "reset", "--quiet", "--hard", base)
    git(folder, "clean", "--quiet", "-d", "--force")
    shutil.rmtree(folder / FAILED, ignore_errors=True)
    # The kill may have come while DVC wrote it.
    if _is_whole(reached):
        (folder / LOCK_FILE).write_text(reached, encoding="utf-8")
    _configure(root, folder)
    _mend_cache(folder, log)
    run_logged([*DVC, "checkout", "--force", DATA_FILE], folder, log)


def _make(line: Line, folder: Path, head: str, followed: str, log: Log) -> tuple[str, str]:
    """Make the worktree. Returns: head and base."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    git(line.root, "worktree", "add", "--quiet", "--detach", str(folder), head)
    _merge(folder, followed, line.followed)
    _configure(line.root, folder)
    _mend_cache(folder, log)
    run_logged([*DVC, "pull", DATA_FILE], folder, log)
    # What neither cache nor remote has is made again.
    run_logged([*DVC, "pull", "--allow-missing"], folder, log)
    (folder / READY).parent.mkdir(exist_ok=True)
    base = git(folder, "rev-parse", "HEAD")
    with whole_file(folder / READY) as draft:
        draft.write_text(f"{head} {base}", encoding="utf-8")
    return head, base


def _configure(root: Path, folder: Path) -> None:
    """Give a worktree the checkout's own settings of DVC, and its cache."""
    settings = Path(".dvc") / "config.local"
    (folder / settings).unlink(missing_ok=True)
    if (root / settings).is_file():
        shutil.copy(root / settings, folder / settings)
    cache = read_output([*DVC, "cache", "dir"], root)
    read_output([*DVC, "cache", "dir", "--local", str((root / cache).resolve())], folder)


def _is_whole(lock: str) -> bool:
    try:
        return isinstance(yaml.safe_load(lock), dict) and lock.endswith("\n")
    except yaml.YAMLError:
        return False


def _mend_cache(folder: Path, log: Log) -> None:
    """Remove damaged objects from DVC's cache, which by itself believes what it holds."""
    for oid in verify_cache(folder).damaged:
        log.warning(f"DVC's cache: object {oid} was damaged and is removed; it comes again from the remote")


def _commits(folder: Path) -> tuple[str, str] | None:
    """Head of the line and base of a worktree, as it was made for; None if its making did not come to its end."""
    words = (folder / READY).read_text(encoding="utf-8").split() if (folder / READY).is_file() else []
    return (words[0], words[1]) if len(words) == 2 else None


def _merge(folder: Path, commit: str, name: str) -> None:
    """Take over the followed branch. Of dvc.lock the line's own is kept: DVC sees by itself what is out of date."""
    words = f"Take over {name}"
    try:
        git(folder, "merge", "--quiet", "--message", words, commit)
    except RegistryError as error:
        unmerged = git(folder, "diff", "--name-only", "--diff-filter=U").splitlines()
        if unmerged != [LOCK_FILE]:
            raise DataError(
                f"branch {name} can't be merged into the line of runs: {', '.join(unmerged) or error}; merge the "
                "two branches by hand, commit, and run again"
            ) from None
        git(folder, "checkout", "--ours", "--", LOCK_FILE)
        git(folder, "add", LOCK_FILE)
        git(folder, "commit", "--quiet", "--no-verify", "--no-edit")


def _commit(root: Path, name: str) -> str | None:
    try:
        return commit_of(root, name)
    except RegistryError:
        return None
