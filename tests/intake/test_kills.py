"""A kill between any two writes loses nothing, and whoever goes on comes to the same end."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from intake_world import correction, drop, gathered, lines_of, picture, row, say

from gemel.intake.applying import apply
from gemel.intake.batch import Batch
from gemel.intake.settling import remember, settle

# What changes something on the disk.
WRITES: tuple[tuple[Any, str], ...] = (
    (os, "fsync"),
    (os, "link"),
    (Path, "rename"),
    (Path, "replace"),
    (Path, "write_bytes"),
)


class Killed(BaseException):
    """Nothing catches it."""


def killed_after(patch: pytest.MonkeyPatch, writes: int) -> list[int]:
    """Let so many writes happen, and no further one. Returns: a list with the number of writes that were left."""
    left = [writes]

    def guarded(write: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return write(*arguments, **named)

        return run

    for owner, name in WRITES:
        patch.setattr(owner, name, guarded(getattr(owner, name)))
    return left


def prepared(root: Path) -> Batch:
    """A batch with images and entities, a quarantined and a rejected row, and corrections."""
    new = row("n1", "A new Jaguar", "Q9", image="a.png")
    doubtful = [row("n2", "A Jaguar slept", "Q2"), row("n3", "A frozen Jaguar")]
    drop(root, [new, *doubtful], entities=[{"id": "Q9", "label": "Jaguar (band)"}], images={"a.png": picture()})
    drop(root, [row("n4", "Her Jaguar broke down", "Q1", image="b.png")], batch="b2", images={"b.png": picture(20)})
    say(root, correction("A Jaguar at dusk"), correction("Wild Jaguar by night", "Q3"))
    return gathered(root)


def state(root: Path) -> dict[str, Any]:
    """All files, times left out, drafts and locks too."""
    found: dict[str, Any] = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            lines = path.suffix == ".jsonl" and "intake" in path.parts
            content = [each | {"time": ""} for each in lines_of(path)] if lines else path.read_bytes()
            found[path.relative_to(root).as_posix()] = content
    return found


def count_of(root: Path, work: Callable[[Path], None], patch: pytest.MonkeyPatch) -> int:
    with patch.context() as inner:
        left = killed_after(inner, 10_000)
        work(root)
        return 10_000 - left[0]


def resumed_alike(root: Path, work: Callable[[Path], None], patch: pytest.MonkeyPatch) -> int:
    """Kill the work at each write in turn, do it again, and compare with work that went through. Returns: the kills."""
    whole = root.with_name("whole")
    shutil.copytree(root, whole)
    writes = count_of(whole, work, patch)
    wanted = state(whole)
    for kills in range(writes):
        copy = shutil.copytree(root, root.with_name(f"killed-{kills}"))
        with patch.context() as inner:
            killed_after(inner, kills)
            with pytest.raises(Killed):
                work(copy)
        work(copy)
        assert state(copy) == wanted, f"killed after {kills} writes"
    return writes


@pytest.mark.parametrize("outcome", ["promoted", "held", "refused"])
def test_settling_goes_on_after_a_kill(root: Path, outcome: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(root)
    batches: dict[Path, Batch] = {}

    def work(project: Path) -> None:
        batch = batches.get(project) or batches.setdefault(project, gathered(project))
        settle(batch, project, outcome, "run1")

    assert resumed_alike(root, work, monkeypatch) > 1


def test_applying_goes_on_after_a_kill(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(root)
    kills = resumed_alike(root, lambda project: apply(gathered(project), project / "data/tiny"), monkeypatch)
    assert kills > 3


def test_run_after_a_killed_one_finds_each_row_somewhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the batch of the killed run in memory: a new look, at what is there."""
    prepared(root)

    def work(project: Path) -> None:
        batch = gathered(project)
        remember(batch, project)
        apply(batch, project / "data/tiny")
        settle(batch, project, "promoted", "run1")

    whole = shutil.copytree(root, root.with_name("all"))
    writes = count_of(whole, work, monkeypatch)
    wanted = lines_of(whole / "data/tiny/posts.jsonl")
    for kills in range(writes):
        copy = shutil.copytree(root, root.with_name(f"some-{kills}"))
        with monkeypatch.context() as inner:
            killed_after(inner, kills)
            with pytest.raises(Killed):
                work(copy)
        work(copy)
        assert lines_of(copy / "data/tiny/posts.jsonl") == wanted
        quarantined = {each["row"]["id"] for each in lines_of(copy / ".gemel/intake/quarantine.jsonl")}
        assert {"n2", "n3"} <= quarantined
        assert gathered(copy).is_empty
