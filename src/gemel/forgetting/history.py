"""What git keeps of posts: it is told, never rewritten."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

RECORDS = ("data.dvc", "dvc.lock")


@dataclass(frozen=True)
class Quotations:
    """files: tracked ones that quote a post now. commits: that brought or removed its words, the newest first."""

    files: tuple[str, ...]
    commits: tuple[str, ...]


def commits_losing(root: Path, objects: Collection[str]) -> tuple[str, ...]:
    """Commits whose data or artifacts can't be checked out any more, the newest first, with their tags.

    They are those whose data.dvc or dvc.lock names one of the objects, whether that lies in the cache or not.
    """
    if not objects:
        return ()
    commits = _git(root, "log", "--all", "--format=%H %h%d %s").splitlines()
    asked = "".join(f"{line[:40]}:{name}\n" for line in commits for name in RECORDS)
    contents = _contents(root, asked)
    losing = {line for line in commits for name in RECORDS if _names(contents.get(f"{line[:40]}:{name}", ""), objects)}
    return tuple(line[41:] for line in commits if line in losing)


def quotations(root: Path, texts: Iterable[str], ids: Iterable[str]) -> Quotations:
    """Tracked files that hold the words or ids of posts, and commits that hold their words."""
    files: dict[str, None] = {}
    for id_ in ids:
        if not id_.isdigit():
            files |= dict.fromkeys(_git(root, "grep", "-l", "-w", "--fixed-strings", "-e", id_).splitlines())
    commits: dict[str, None] = {}
    for text in texts:
        first = text.splitlines()[0]
        files |= dict.fromkeys(_git(root, "grep", "-l", "--fixed-strings", "-e", first).splitlines())
        commits |= dict.fromkeys(_git(root, "log", "--all", "--format=%h %s", f"-S{first}").splitlines())
    return Quotations(tuple(files), tuple(commits))


def _names(record: str, objects: Collection[str]) -> bool:
    return any(oid in record for oid in objects)


def _contents(root: Path, asked: str) -> dict[str, str]:
    """Files at commits: what was asked -> content; those that aren't there are left out."""
    done = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=root, input=asked.encode(), capture_output=True, check=False
    )
    found, at = {}, 0
    for name in asked.splitlines():
        end = done.stdout.find(b"\n", at)
        if end < 0:
            break
        header = done.stdout[at:end].decode()
        at = end + 1
        if not header.endswith("missing"):
            size = int(header.rsplit(" ", 1)[1])
            found[name] = done.stdout[at : at + size].decode("utf-8", "replace")
            at += size + 1
    return found


def _git(root: Path, *arguments: str) -> str:
    """What git answers; nothing where this is no repository, or nothing was found."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
