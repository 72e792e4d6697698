"""Changes to a release in use: a draft of the folder of changes, then the release anew, both recorded by DVC."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from gemel.console import err
from gemel.core.config import PARAMS, read_params
from gemel.core.drafts import draft_beside
from gemel.stages import CHANGES, PROGRESS


@contextlib.contextmanager
def changing(root: Path = Path()) -> Iterator[Path]:
    """Give a draft of the folder of changes of the data set in use to edit.

    On leaving it takes the folder's place, and the release is built anew and recorded. On an error everything is as
    before. One change at a time.
    Raises: ConfigError if params.yaml is missing; what the stage `release` raises.
    """
    target = root / CHANGES / str(read_params(root / PARAMS)["dataset"])
    (root / PROGRESS).mkdir(exist_ok=True)
    with FileLock(root / PROGRESS / "changes.lock"), draft_beside(target) as draft:
        if target.is_dir():
            shutil.copytree(target, draft, dirs_exist_ok=True)
        yield draft
        with _in_place_of(target, draft), contextlib.chdir(root):
            from gemel.stages import release

            release.main()
        _record(root)


@contextlib.contextmanager
def _in_place_of(target: Path, draft: Path) -> Iterator[None]:
    """Put the draft in the target's place; after an error the former target is there again."""
    former = target.with_name(f".{target.name}.former")
    if target.exists():
        target.rename(former)
    draft.rename(target)
    try:
        yield
    except BaseException:
        shutil.rmtree(target)
        if former.exists():
            former.rename(target)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _record(root: Path) -> None:
    if not (root / ".dvc").is_dir():
        err.print("no DVC project here, so nothing is recorded")
        return
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        repo.commit("data.dvc", force=True)
        repo.commit("release", force=True)
    err.print("recorded; `git add data.dvc dvc.lock` and commit")
