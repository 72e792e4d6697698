"""A run's worktree: it stands on the line of runs, has the data, and leaves the checkout as it is."""

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.light_project import DATASET, make_project
from flows.commands import DVC, read_output
from flows.workspace import READY, RUNS, Line, MovedError, Workspace, current_branch, git, workspace
from gemel.core.errors import DataError

log = logging.getLogger("test")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("pristine") / "project")


@pytest.fixture
def line(pristine: Path, tmp_path: Path) -> Line:
    root = shutil.copytree(pristine, tmp_path / "project", symlinks=True)
    return Line(root, "retraining", current_branch(root))


def changed(place: Workspace, name: str = "new.txt", text: str = "new\n") -> str:
    (place.folder / name).write_text(text)
    return place.commit("Something new", name)


def state(root: Path) -> tuple[str, str]:
    return git(root, "status", "--porcelain"), git(root, "rev-parse", "HEAD")


def test_worktree_has_the_data_and_the_artifacts(line: Line) -> None:
    with workspace(line, log) as place:
        for name in (f"data/{DATASET}/posts.jsonl", "artifacts/release/manifest.json"):
            assert (place.folder / name).read_bytes() == (line.root / name).read_bytes()


def test_cache_is_the_checkout_s(line: Line) -> None:
    with workspace(line, log) as place:
        (place.folder / "data" / DATASET / "more.txt").write_text("more")
        read_output([*DVC, "add", "-q", "data"], place.folder)
        assert not (place.folder / ".dvc" / "cache").exists()
    assert any(path.read_bytes() == b"more" for path in (line.root / ".dvc" / "cache").rglob("*") if path.is_file())


def test_dirty_checkout_stays_as_it_is(line: Line) -> None:
    (line.root / "params.yaml").write_text("dataset: mine\n")
    (line.root / "untracked.txt").write_text("mine")
    before = state(line.root)
    with workspace(line, log) as place:
        line.move(changed(place), place.head)
    assert state(line.root) == before
    assert (line.root / "params.yaml").read_text() == "dataset: mine\n"


def test_next_run_stands_on_the_last_one(line: Line) -> None:
    with workspace(line, log) as place:
        line.move(changed(place), place.head)
    with workspace(line, log) as place:
        assert (place.folder / "new.txt").read_text() == "new\n"
    assert not list((line.root / RUNS).iterdir())


def test_new_commits_of_the_followed_branch_are_taken_over(line: Line) -> None:
    with workspace(line, log) as place:
        line.move(changed(place), place.head)
    (line.root / "code.py").write_text("1\n")
    git(line.root, "add", "code.py")
    git(line.root, "commit", "-q", "-m", "Code")
    with workspace(line, log) as place:
        assert (place.folder / "code.py").is_file()
        assert (place.folder / "new.txt").is_file()
        assert place.base != place.head


def commit_on_both(line: Line, name: str) -> None:
    with workspace(line, log) as place:
        line.move(changed(place, name, "by the run\n"), place.head)
    (line.root / name).write_text("by a person\n")
    git(line.root, "add", name)
    git(line.root, "commit", "-q", "-m", "By hand")


def test_conflict_is_left_to_people(line: Line) -> None:
    commit_on_both(line, "data.dvc")
    words = r"branch main can't be merged .*: data.dvc; merge the two branches by hand"
    with pytest.raises(DataError, match=words), workspace(line, log):
        pass


def test_of_a_lock_file_the_line_s_own_is_kept(line: Line) -> None:
    with workspace(line, log) as place:
        text = (place.folder / "dvc.lock").read_text() + "# by the run\n"
        line.move(changed(place, "dvc.lock", text), place.head)
    (line.root / "dvc.lock").write_text((line.root / "dvc.lock").read_text() + "# by a person\n")
    git(line.root, "commit", "-q", "-a", "-m", "By hand")
    with workspace(line, log) as place:
        assert (place.folder / "dvc.lock").read_text() == text


def test_line_that_another_run_moved_is_not_moved(line: Line) -> None:
    with workspace(line, log) as place:
        mine = changed(place)
        git(line.root, "update-ref", line.ref, place.commit_alone("Another", "new.txt", mine), "0" * 40)
        with pytest.raises(MovedError, match=r"branch retraining is no longer at [0-9a-f]{12}: another run moved it"):
            line.move(mine, place.head)


def test_line_that_somebody_is_on_is_refused(line: Line) -> None:
    git(line.root, "switch", "-q", "-c", "retraining")
    with pytest.raises(DataError, match=r"is on branch retraining, which retraining moves; switch to another"):
        line.heads()


def test_branch_that_is_not_there_is_refused(line: Line) -> None:
    with pytest.raises(DataError, match=r"no branch or commit 'nowhere' to follow; set `follow` to one"):
        Line(line.root, "retraining", "nowhere").heads()


def test_folder_without_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no git checkout with a commit"):
        current_branch(tmp_path)


def stop(line: Line, during: Callable[[Workspace], None]) -> None:
    """End a run in its middle, as a kill does."""
    with pytest.raises(KeyboardInterrupt), workspace(line, log) as place:
        during(place)
        raise KeyboardInterrupt


def test_killed_run_is_taken_over_with_the_data_of_its_base(line: Line) -> None:
    posts = Path("data", DATASET, "posts.jsonl")

    def change(place: Workspace) -> None:
        (place.folder / posts).unlink()
        (place.folder / posts).write_text("")
        read_output([*DVC, "add", "-q", "data"], place.folder)
        changed(place)
        (place.folder / ".gemel" / "progress").write_text("half")

    stop(line, change)
    with workspace(line, log) as place:
        assert (place.folder / posts).read_bytes() == (line.root / posts).read_bytes()
        assert (place.folder / ".gemel" / "progress").read_text() == "half"
        assert git(place.folder, "rev-parse", "HEAD") == place.base


def test_lock_file_that_was_cut_off_is_the_base_s_again(line: Line) -> None:
    def cut(place: Workspace) -> None:
        (place.folder / "dvc.lock").write_text("schema: '2.0'\nstages:\n  posts:\n    cmd: 'py")

    stop(line, cut)
    with workspace(line, log) as place:
        assert (place.folder / "dvc.lock").read_bytes() == (line.root / "dvc.lock").read_bytes()


def test_processes_of_a_killed_run_are_ended(line: Line) -> None:
    started = []

    def start(place: Workspace) -> None:
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        started.append(subprocess.Popen(command, cwd=place.folder))

    stop(line, start)
    with workspace(line, log):
        assert not psutil.pid_exists(started[0].pid)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(lambda folder: (folder / READY).unlink(), id="not ready"),
        pytest.param(lambda folder: (folder / READY).write_text(""), id="cut off"),
        pytest.param(lambda folder: shutil.rmtree(folder), id="known to git alone"),
    ],
)
def test_half_made_worktree_is_made_anew(line: Line, left: Callable[[Path], object]) -> None:
    stop(line, lambda place: left(place.folder))
    with workspace(line, log) as place:
        assert (place.folder / "data" / DATASET).is_dir()


def test_worktree_of_other_commits_is_removed(line: Line) -> None:
    stop(line, lambda place: line.move(changed(place), place.head))
    with workspace(line, log) as place:
        assert [each.name for each in (line.root / RUNS).iterdir()] == [place.folder.name]


def test_kept_commit_can_be_found_by_its_run(line: Line) -> None:
    with workspace(line, log) as place:
        whole = changed(place)
        ref = line.keep("r1", whole)
        alone = place.commit_alone("The card", "new.txt", whole)
    assert (ref, git(line.root, "rev-parse", ref)) == ("refs/retraining/r1", whole)
    assert git(line.root, "diff", "--name-only", place.base, alone) == "new.txt"
