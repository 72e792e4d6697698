"""Worker processes: one that is killed is a lane that died, and none outlives its parent."""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest
from archive.archived import write_archive

from gemel.archive.lanes import LaneDiedError, ProcessLane, _end_with_parent
from gemel.archive.linking import prepare
from gemel.archive.settings import ArchiveSettings

SPAWN = multiprocessing.get_context("spawn")
PATIENCE_S = 60


def keep_a_worker(told: Path) -> None:
    """Start a worker process, write down who it is, and stay."""
    pool = ProcessPoolExecutor(1, mp_context=SPAWN, initializer=_end_with_parent)
    pid = pool.submit(os.getpid).result()
    told.with_suffix(".draft").write_text(str(pid))
    told.with_suffix(".draft").rename(told)
    time.sleep(PATIENCE_S)


def test_worker_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = SPAWN.Process(target=keep_a_worker, args=(tmp_path / "pid",))
    parent.start()
    while parent.is_alive() and not (tmp_path / "pid").exists():
        time.sleep(0.05)
    worker = psutil.Process(int((tmp_path / "pid").read_text()))
    parent.kill()
    parent.join()
    gone, _ = psutil.wait_procs([worker], timeout=PATIENCE_S)
    assert gone


@pytest.mark.slow
def test_killed_process_is_a_lane_that_died(tmp_path: Path, tiny_release: Path) -> None:
    settings = ArchiveSettings(device="cpu", processes=2)
    lane = ProcessLane(prepare(write_archive(tmp_path / "in"), tmp_path / "out", tiny_release, None, settings).job)
    for process in psutil.Process().children():
        if "spawn_main" in " ".join(process.cmdline()):
            process.kill()
    with pytest.raises(LaneDiedError, match="the worker's process was killed, perhaps for lack of memory"):
        lane.link(0)
    lane.close()
