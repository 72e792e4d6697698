"""Changes to a running release: a person's edits take effect in seconds, without training, and DVC versions them.

The state of what was changed lies in `data/changes/DATASET/`; the stage `release` builds the release from what the
other stages made and that state. So a command here and a later `dvc repro` give the same bytes.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from rich.markup import escape

from gemel.console import err, out
from gemel.core.config import PARAMS, read_params
from gemel.core.drafts import draft_beside, put_in_place
from gemel.core.errors import ArtifactError
from gemel.stages import PROGRESS, RELEASE
from gemel.stages.dataset import changes_in_use

# Outside of data/ and artifacts/, so that DVC never versions it.
STATE = PROGRESS / "change"
LOCK = PROGRESS / "change.lock"
# Seconds. A change takes a few, most of them DVC's.
PATIENCE = 60.0
CHANGES, FORMER_RELEASE = "changes", "release"


@contextlib.contextmanager
def changing(root: Path = Path()) -> Iterator[Path]:
    """Give a draft of the folder of changes of the data set in use, to edit.

    On leaving, the draft takes the folder's place, the release is built anew and DVC records both; nothing happens if
    the draft was not changed. After an error all is as before. One change at a time; what a killed one left is mended
    by the next.
    root: the project's.
    Raises: ArtifactError if another change is under way, or DVC can't record this one; what the stage `release` raises.
    """
    (root / PROGRESS).mkdir(exist_ok=True)
    with _one_at_a_time(root / LOCK):
        changes = root / changes_in_use(read_params(root / PARAMS))
        mended = (root / STATE).exists()
        if mended:
            err.print("[yellow]A change was killed before it was complete; what it changed is taken back.[/]")
            _restore(root, changes)
        with draft_beside(changes) as draft:
            if changes.is_dir():
                shutil.copytree(changes, draft, dirs_exist_ok=True)
            yield draft
            # DVC may have recorded what was taken back.
            if mended or _differ(draft, changes):
                _make(root, draft, changes)
            else:
                out.print("Nothing to change.")


def _make(root: Path, draft: Path, changes: Path) -> None:
    _save(root, changes)
    try:
        if _files(draft):
            put_in_place(draft, changes)
        elif changes.is_dir():
            # Without changes there is no folder, so that the data are byte for byte what they were before any.
            shutil.rmtree(changes)
        with contextlib.chdir(root):
            from gemel.stages import release

            release.main()
            recorded = _record()
    except BaseException:
        _restore(root, changes)
        raise
    _forget(root)
    if recorded:
        out.print("Recorded by DVC; now `git add data.dvc dvc.lock` and commit.")


def _save(root: Path, changes: Path) -> None:
    """Keep what the change replaces; the state is there whole or not at all."""
    with draft_beside(root / STATE) as state:
        for source, name in ((changes, CHANGES), (root / RELEASE, FORMER_RELEASE)):
            if source.is_dir():
                # Nothing ever writes into these files: they are replaced. So a second name for each is a copy.
                shutil.copytree(source, state / name, copy_function=_link)
        put_in_place(state, root / STATE)


def _restore(root: Path, changes: Path) -> None:
    for name, target in ((CHANGES, changes), (FORMER_RELEASE, root / RELEASE)):
        saved = root / STATE / name
        if saved.is_dir():
            with draft_beside(target) as draft:
                shutil.copytree(saved, draft, dirs_exist_ok=True, copy_function=_link)
                put_in_place(draft, target)
        elif target.is_dir():
            shutil.rmtree(target)
    _forget(root)


def _forget(root: Path) -> None:
    """Remove what was kept, at one stroke: half of it, left by a kill, would be taken for the whole."""
    done = (root / STATE).with_name(f".{STATE.name}.draft-done")
    shutil.rmtree(done, ignore_errors=True)
    (root / STATE).rename(done)
    shutil.rmtree(done)


def _record() -> bool:
    """Have DVC record data/ and the release, in the current folder. Returns: whether there is a DVC project.

    Raises: ArtifactError if DVC can't.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import SCMError

    try:
        repo = Repo(os.curdir)
    except (NotDvcRepoError, SCMError) as error:
        err.print(f"[yellow]Not recorded, as this is no DVC project in git ({escape(str(error))}).[/]", soft_wrap=True)
        return False
    try:
        with contextlib.closing(repo):
            repo.commit("data.dvc", force=True)
            repo.commit("release", force=True)
    except DvcException as error:
        raise ArtifactError(
            f"DVC can't record the change ({error}); all is as before, mend that and try again"
        ) from error
    return True


@contextlib.contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    try:
        with FileLock(lock, timeout=PATIENCE):
            yield
    except Timeout:
        raise ArtifactError(
            f"{lock}: another change has been under way for {PATIENCE:.0f} s; wait for it and try again"
        ) from None


def _differ(draft: Path, changes: Path) -> bool:
    files = _files(draft)
    return files != _files(changes) or bool(filecmp.cmpfiles(draft, changes, files, shallow=False)[1])


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
