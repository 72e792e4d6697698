"""Whether a batch in the drop folder is whole, or still being written."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from gemel.core.artifacts import file_sha256
from gemel.intake.settings import CapSettings
from gemel.posts.dataset import ENTITIES, POSTS
from gemel.posts.rows import reason

VOUCHER = "batch.json"
UNFINISHED = (".part", ".tmp")


class _Voucher(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    files: dict[str, str]


class NotWholeError(Exception):
    """A batch can't be taken. stuck: whether it stays so until a person does something."""

    def __init__(self, reason: str, *, stuck: bool = False) -> None:
        super().__init__(reason)
        self.stuck = stuck


@dataclass(frozen=True)
class Look:
    """What was seen of a batch whose files are dated in the future. seen: of names, sizes and dates; time: of the first
    look that saw this, in seconds of the epoch.
    """

    seen: str
    time: float


@dataclass(frozen=True)
class Files:
    """The files of a batch. facts: by name, size and time of the last change in nanoseconds. newest: the latest change
    of a file or folder, in seconds of the epoch.
    """

    folder: Path
    facts: Mapping[str, tuple[int, int]]
    newest: float

    @property
    def seen(self) -> str:
        """SHA-256 of names, sizes and dates."""
        return hashlib.sha256(json.dumps(sorted(self.facts.items())).encode()).hexdigest()


def files_of(folder: Path, caps: CapSettings) -> Files:
    """List a batch's files, at any depth; none is opened.

    Raises: NotWholeError, stuck, if there is a link or anything else that is no file, or too much.
    """
    facts: dict[str, tuple[int, int]] = {}
    newest = folder.stat().st_mtime
    count, total = 0, 0
    for parent, folders, names in os.walk(folder):
        count += len(folders) + len(names)
        for name in (*folders, *names):
            path = Path(parent, name)
            state = path.lstat()
            newest = max(newest, state.st_mtime)
            if stat.S_ISREG(state.st_mode):
                facts[path.relative_to(folder).as_posix()] = (state.st_size, state.st_mtime_ns)
                total += state.st_size
            elif not stat.S_ISDIR(state.st_mode):
                what = "a link" if stat.S_ISLNK(state.st_mode) else "no regular file"
                raise NotWholeError(f"{path}: {what}; put files there themselves", stuck=True)
        lines = max(facts.get(name, (0, 0))[0] for name in (POSTS, ENTITIES))
        if count > caps.batch_files or total > caps.batch_bytes or lines > caps.line_bytes:
            found = f"{count} files and folders, {total} bytes and {lines} of lines so far"
            allowed = f"more than {caps.batch_files}, {caps.batch_bytes} or {caps.line_bytes}"
            raise NotWholeError(f"{found}, {allowed}; divide it, or raise intake.caps", stuck=True)
    return Files(folder, facts, newest)


def check_whole(files: Files, *, settle_seconds: float, former: Look | None, now: float) -> None:
    """Refuse a batch that may still be written to.

    former: the look that is remembered of it. now: seconds of the epoch.
    Raises: NotWholeError.
    """
    for name in files.facts:
        if name.endswith(UNFINISHED) or any(part.startswith(".") for part in Path(name).parts):
            raise NotWholeError(f"{name}: still being written by its name; rename it when it is whole, or remove it")
    if POSTS not in files.facts:
        raise NotWholeError(f"no {POSTS} yet")
    for name in {POSTS, ENTITIES} & files.facts.keys():
        _check_end(files.folder / name, files.facts[name][0])
    if VOUCHER in files.facts:
        _check_voucher(files)
    else:
        _check_quiet(files, settle_seconds, former, now)


def _check_end(path: Path, size: int) -> None:
    with path.open("rb") as file:
        if size:
            file.seek(size - 1)
        if file.read() != b"\n":
            raise NotWholeError(f"{path.name}: its last line has no line feed, so it may not be whole; end it with one")


def _check_voucher(files: Files) -> None:
    try:
        stated = _Voucher.model_validate_json((files.folder / VOUCHER).read_bytes()).files
    except ValidationError as error:
        raise NotWholeError(
            f'{VOUCHER}: not {{"files": {{name: sha256}}}} ({reason(error)}), or half written'
        ) from None
    unlisted = sorted(files.facts.keys() - stated.keys() - {VOUCHER})
    if unlisted:
        raise NotWholeError(f"{unlisted[0]}: not in {VOUCHER}; name it there with its SHA-256, or remove it")
    for name, sha256 in stated.items():
        if name not in files.facts:
            raise NotWholeError(f"{name}: {VOUCHER} names it, but it is not there yet")
        if (found := file_sha256(files.folder / name)) != sha256.lower():
            raise NotWholeError(
                f"{name}: its SHA-256 is {found[:12]}…, but {VOUCHER} says {sha256[:12]}…; half written or damaged"
            )


def _check_quiet(files: Files, settle_seconds: float, former: Look | None, now: float) -> None:
    age = now - files.newest
    if age >= settle_seconds:
        return
    if age >= 0:
        raise NotWholeError(
            f"changed {age:.0f} s ago; it is taken when it was left alone for {settle_seconds:g} s, or has a {VOUCHER}"
        )
    # A clock was changed, or is another machine's: no date says how long ago this was, only two looks do.
    if former is None or former.seen != files.seen or not settle_seconds <= now - former.time:
        raise NotWholeError(
            f"dated {-age:.0f} s in the future; it is taken when a second look {settle_seconds:g} s later sees the same"
        )
