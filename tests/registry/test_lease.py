"""One holder at a time: real processes, dead ones, and clocks that jump."""

import errno
import json
import os
import signal
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from forked import FORK

from gemel.registry import lease as leases
from gemel.registry.errors import LeaseError
from gemel.registry.lease import Lease, read_holder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".gemel" / "retraining.lock"


def hold(path: Path, told: Connection) -> None:
    with Lease(path, "theirs", seconds=60):
        told.send("held")
        told.recv()


def other_process(path: Path) -> tuple[Any, Connection]:
    """A process that holds the lease until it is sent something, or killed."""
    here, there = FORK.Pipe()
    process = FORK.Process(target=hold, args=(path, there))
    process.start()
    assert here.recv() == "held"
    return process, here


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def shift_clock(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    monkeypatch.setattr(leases, "_now", lambda: datetime.now(UTC) + timedelta(days=days))


def test_held_lease_is_refused_and_its_holder_named(path: Path) -> None:
    process, here = other_process(path)
    with pytest.raises(
        LeaseError, match=rf"held by run 'theirs', process {process.pid} on .*, until \d{{4}}-.* UTC; wait"
    ):
        Lease(path, "mine")
    here.send("end")
    process.join()
    with Lease(path, "mine") as lease:
        assert lease.taken_over == ""


@pytest.mark.parametrize("days", [-1.0, 1.0])
def test_clock_that_jumps_does_not_let_two_hold_it(path: Path, monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    process, here = other_process(path)
    shift_clock(monkeypatch, days)
    with pytest.raises(LeaseError, match="held by run 'theirs'"):
        Lease(path, "mine")
    here.send("end")
    process.join()


def test_lease_of_a_killed_process_is_taken_over(path: Path) -> None:
    process, _ = other_process(path)
    os.kill(process.pid, signal.SIGKILL)
    # A zombie until it is joined: it counts as dead already.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with Lease(path, "mine") as lease:
        assert f"taken over from run 'theirs', process {process.pid}" in lease.taken_over
        assert lease.taken_over.endswith("its process is dead")
    process.join()


def test_another_process_of_the_same_number_is_no_holder(path: Path) -> None:
    Lease(path, "former")._over.set()
    change(path, started="1")
    with Lease(path, "mine") as lease:
        assert lease.taken_over.endswith("its process is dead")


def test_other_machine_is_believed_until_the_lease_expires(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Lease(path, "former", seconds=60)._over.set()
    change(path, host="elsewhere")
    with pytest.raises(LeaseError, match="on elsewhere"):
        Lease(path, "mine")
    shift_clock(monkeypatch, 1.0)
    with Lease(path, "mine") as lease:
        assert lease.taken_over.endswith("it expired")


def test_lost_lease_fails_the_check_and_is_left_to_its_holder(path: Path) -> None:
    lease = Lease(path, "mine", seconds=60)
    change(path, token="another", run="theirs")
    with pytest.raises(
        LeaseError, match=r"run 'mine' lost its lease, and run 'theirs', .* holds it; start the run anew"
    ):
        lease.check()
    lease.release()
    assert path.exists()


def test_released_lease_fails_the_check(path: Path) -> None:
    lease = Lease(path, "mine")
    lease.release()
    with pytest.raises(LeaseError, match="nobody holds it"):
        lease.check()


def test_heartbeat_moves_the_expiry(path: Path) -> None:
    with Lease(path, "mine", seconds=0.2):
        first = read_holder(path)
        assert first is not None
        seen = first
        while seen.expires <= first.expires:
            seen = read_holder(path) or first
        assert seen.token == first.token


def test_of_many_that_take_over_a_dead_lease_one_gets_it(path: Path) -> None:
    process, _ = other_process(path)
    process.kill()
    process.join()
    found, over = FORK.Queue(), FORK.Event()

    def try_it() -> None:
        try:
            Lease(path, "next")
            found.put("held")
        except LeaseError:
            found.put("refused")
        # Alive until all have tried.
        over.wait()

    tries = [FORK.Process(target=try_it) for _ in range(4)]
    for each in tries:
        each.start()
    assert sorted(found.get() for _ in tries) == ["held", "refused", "refused", "refused"]
    over.set()
    for each in tries:
        each.join()


def test_full_disk_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Lease(path, "mine") as lease:
        monkeypatch.setattr(leases.os, "fsync", full)
        with pytest.raises(LeaseError, match=r"can't be written \(.*No space left on device\); free some space"):
            lease.check()
        monkeypatch.undo()
        lease.check()


def test_unreadable_lease_is_nobodys(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{")
    with Lease(path, "mine") as lease:
        assert lease.taken_over.endswith("unreadable, so nobody's; taken over")


def test_same_process_does_not_take_it_twice(path: Path) -> None:
    with Lease(path, "mine"), pytest.raises(LeaseError, match="held by run 'mine'"):
        Lease(path, "again")
