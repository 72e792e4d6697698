"""A disk that is full at one write after another: a light project on a small file system of memory.

Each round leaves a little more room than the last, so that the run fails at another write; then there is room again,
and the next run has to complete. It needs the right to mount: run it as root, or under `unshare --user --map-root-user
--mount`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults_kills import FIRST_ID, PATIENCE_S, Watch
from benchmarks.light_project import drop, make_project, post
from gemel.registry.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
SIZE_MIB = 64
KIB = 1024


def fill_disk(folder: Path, rounds: int, step_kib: int = 16) -> dict[str, object]:
    """Runs with so much room: 0, one step, two steps, and so on. folder: to mount in. Returns: the figures.

    disk_failed: rounds in which the run failed, as it should. disk_recovered: of these, rounds after which the next
    run completed with one promotion. disk_invalid: looks at a pointer that was not valid.
    """
    with _small_disk(folder):
        root = make_project(folder / "project")
        if _run(root):
            raise RuntimeError(f"{root}: the first run failed; `python -m benchmarks.light_run {root}` shows why")
        watch, failed, recovered = Watch(root), 0, 0
        for number in range(rounds):
            before = len(Registry(root).versions())
            drop(root, f"batch-{number}", [post(FIRST_ID + number)])
            with _ballast(folder, number * step_kib):
                stopped = _run(root) != 0
            failed += stopped
            recovered += stopped and _run(root) == 0 and len(Registry(root).versions()) == before + 1
        watch.stop()
    return {
        "disk_rounds": rounds,
        "disk_failed": failed,
        "disk_recovered": recovered,
        "disk_looks": watch.looks,
        "disk_invalid": len(watch.invalid),
    }


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def _ballast(folder: Path, room_kib: int) -> Iterator[None]:
    """Fill the disk but for so much."""
    path, found = folder / "ballast", os.statvfs(folder)
    size = max(0, found.f_bavail * found.f_frsize - room_kib * KIB)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size))
    try:
        yield
    finally:
        path.unlink()
        time.sleep(0.1)


def _run(root: Path) -> int:
    command, quiet = [sys.executable, "-m", "benchmarks.light_run", str(root)], subprocess.DEVNULL
    return subprocess.run(command, cwd=ROOT, stdout=quiet, stderr=quiet, check=False, timeout=PATIENCE_S).returncode
