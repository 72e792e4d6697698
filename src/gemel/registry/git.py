"""Git as the registry uses it: one command at a time, its complaint in a sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from gemel.registry.errors import RegistryError


def git(root: Path, *words: str, stdin: str | None = None, seconds: int | None = None) -> str:
    """What a git command prints. seconds: the date of what it makes, Unix time; None: now.

    Raises: RegistryError with git's own words.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    if seconds is not None:
        environment["GIT_COMMITTER_DATE"] = f"@{seconds} +0000"
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], input=stdin, capture_output=True, text=True, check=False, env=environment
        )
    except FileNotFoundError:
        raise RegistryError("git: no such command; versions are git tags, so install git") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise RegistryError(f"{root}: `git {words[0]}` failed ({said}); mend that and run the same command again")
    return done.stdout


def common_folder(root: Path) -> Path:
    """The git folder that all worktrees of a checkout share.

    Raises: RegistryError if root is no checkout.
    """
    try:
        return Path(git(root, "rev-parse", "--path-format=absolute", "--git-common-dir").strip())
    except RegistryError as error:
        raise RegistryError(f"{root}: no git checkout, and versions are git tags ({error})") from None


def commit_of(root: Path, name: str) -> str:
    """The full hash of a commit.

    Raises: RegistryError if there is none of that name.
    """
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    except RegistryError:
        raise RegistryError(f"{root}: no commit {name!r}; commit first, or fetch it") from None


def expect_identity(root: Path) -> None:
    """See that git knows in whose name a tag is made, before anything is changed.

    Raises: RegistryError with git's advice.
    """
    git(root, "var", "GIT_COMMITTER_IDENT")


def file_at(root: Path, commit: str, name: str) -> str | None:
    """A file of the folder `root` as a commit has it; None if it has none."""
    listed = git(root, "ls-tree", "--name-only", commit, "--", name)
    return git(root, "show", f"{commit}:./{name}") if listed.strip() else None
