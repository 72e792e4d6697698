"""`kill -9` between any two lines of a promotion or a rollback, and two processes that promote at once."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from checkouts import Checkout, git
from forked import FORK, forked

from gemel.core.drafts import draft_beside
from gemel.registry.pointer import check_bundle, sweep
from gemel.registry.registry import Registry

WATCHED = ("/gemel/registry/", "/gemel/core/drafts.py")


def line_killer(visit: int) -> Callable[..., Any]:
    """A trace function that kills its process at the so-manieth line that it visits for the first time."""
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        if not any(part in frame.f_code.co_filename for part in WATCHED):
            return None
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) > visit:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def killed_at(visit: int, work: Callable[[], object]) -> bool:
    """Do some work in a process that is killed at a line; False if it came to its end."""

    def run() -> None:
        sys.settrace(line_killer(visit))
        work()
        sys.settrace(None)

    process = FORK.Process(target=run)
    process.start()
    process.join()
    return process.exitcode == -signal.SIGKILL


def expect_consistent(registry: Registry, names: set[str]) -> None:
    """Whoever was killed: a whole champion, the tags say the same, and nothing half-written lies about."""
    registry.reconcile()
    champion = registry.champion()
    assert champion is not None
    assert champion.name in names
    events = sorted((event.number, event.version) for version in registry.versions() for event in version.events)
    assert events[-1][1] == champion.name
    assert [number for number, _ in events] == list(range(1, len(events) + 1))
    folder = registry.champion_folder()
    assert folder is not None
    check_bundle(folder)
    assert not list(folder.parent.glob(".*"))
    assert not (folder.parent / "promotion.json").exists()
    assert registry.reconcile() == ()


def play(checkout: Checkout, visits: range, work: Callable[[], object], again: Callable[[], object]) -> int:
    """Kill the work at each of some lines. again: before each. Returns: how many kills hit."""
    kills = 0
    for visit in visits:
        again()
        if not killed_at(visit, work):
            return kills
        kills += 1
        expect_consistent(checkout.registry, {"v1.0.0", "v1.1.0"})
    return kills


STEPS = [pytest.param(9, id="some"), pytest.param(1, id="each", marks=pytest.mark.slow)]


@pytest.mark.parametrize("step", STEPS)
def test_killed_promotion_happened_or_not(promoted: Checkout, step: int) -> None:
    def promote() -> None:
        promoted.registry.promote("v1.1.0", why="new")

    def back() -> None:
        promoted.registry.promote("v1.0.0", why="start again")

    assert play(promoted, range(0, 300, step), promote, back) > 60 / step
    promote()
    assert promoted.registry.champion().name == "v1.1.0"


@pytest.mark.parametrize("step", STEPS)
def test_killed_registration_happened_or_not(promoted: Checkout, step: int) -> None:
    commit = promoted.commit_release("three")
    bundle = promoted.root / "artifacts" / "release"

    def register() -> None:
        promoted.registry.register(bundle, commit, "run", "")

    def undo() -> None:
        if "gemel@v1.2.0" in git(promoted.root, "tag"):
            git(promoted.root, "tag", "-d", "gemel@v1.2.0")
        promoted.registry.prune(1)

    assert play(promoted, range(0, 300, step), register, undo) > 60 / step
    register()
    assert promoted.registry.versions()[0].name == "v1.2.0"


@pytest.mark.parametrize("visit", range(0, 120, 12))
def test_rollback_that_was_killed_goes_one_step_when_it_is_asked_for_again(promoted: Checkout, visit: int) -> None:
    promoted.registry.promote(promoted.register("three"), why="")
    killed_at(visit, lambda: promoted.registry.rollback(why="worse"))
    if promoted.registry.champion().name == "v1.2.0" or (promoted.releases / "promotion.json").exists():
        assert promoted.registry.rollback(why="worse").name == "v1.1.0"


def test_two_processes_promote_one_after_the_other(promoted: Checkout) -> None:
    def promote(name: str) -> None:
        promoted.registry.promote(name, why=name)

    processes = [forked(promote, name) for name in ("v1.0.0", "v1.1.0") * 3]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    expect_consistent(promoted.registry, {"v1.0.0", "v1.1.0"})


def test_reconcile_says_what_it_did(promoted: Checkout) -> None:
    git(promoted.root, "tag", "-d", "gemel#champion#2")
    assert promoted.registry.reconcile() == ("v1.1.0: the pointer names it, the tags did not; tagged now",)


def test_replacement_that_was_not_finished_is_put_back(promoted: Checkout) -> None:
    bundle = promoted.pointer.resolve()
    bundle.rename(bundle.with_name(f".{bundle.name}.former"))
    assert [said.endswith("put back; its replacement was not finished") for said in sweep(promoted.releases)] == [True]
    assert promoted.registry.champion() is not None


def test_half_written_bundle_is_removed(promoted: Checkout, tmp_path: Path) -> None:
    with draft_beside(promoted.releases / "0123456789abcdef") as draft:
        (draft / "half").write_text("x")
        (tmp_path / "stolen").mkdir()
        draft.rename(tmp_path / "stolen" / draft.name)
    (tmp_path / "stolen" / draft.name).rename(draft)
    (said,) = promoted.registry.reconcile()
    assert said.endswith("removed, unfinished")
    assert not draft.exists()
