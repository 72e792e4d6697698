"""Files and folders that are written whole or not at all: a draft beside the target, which then takes its place."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path beside the target to write a file to; on leaving it takes the target's place.

    After an error it is removed and the target stays as it was. What a killed run left is overwritten by the next one.
    Raises: OSError if it can't be renamed.
    """
    draft = target.with_name(f".{target.name}.draft")
    try:
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def draft_beside(target: Path) -> Iterator[Path]:
    """Give a new folder beside the target to write into; on leaving it is removed, unless it was put in place.

    What a killed run left is mended first: its draft goes, and a target that it had just moved away comes back.
    """
    former = _former(target)
    if former.exists() and not target.exists():
        former.rename(target)
    for stale in (former, *target.parent.glob(f".{glob.escape(target.name)}.draft-*")):
        shutil.rmtree(stale, ignore_errors=True)
    draft = target.with_name(f".{target.name}.draft-{os.getpid()}")
    draft.mkdir(parents=True)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def put_in_place(draft: Path, target: Path) -> None:
    """Make the draft the target, in place of the one that is there.

    Raises: OSError if it can't be renamed; the former target is there again then.
    """
    former = _former(target)
    if target.exists():
        target.rename(former)
    try:
        draft.rename(target)
    except OSError:
        if former.exists():
            former.rename(target)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _former(target: Path) -> Path:
    return target.with_name(f".{target.name}.former")
