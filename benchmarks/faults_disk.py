"""A disk that is full at one write after another: a light project on a small file system of memory.

Each round leaves a little more room than the last, so that the run fails at a later write; then there is room again,
and the next run has to complete. It needs the right to mount: run it as root, or under `unshare --user --map-root-user
--mount`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks.faults_kills import FIRST_ID, PATIENCE_S, Watch
from benchmarks.light_project import drop, make_project, post
from gemel.registry.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
SIZE_MIB = 64
KIB = 1024


def fill_disk(folder: Path, step_kib: int) -> dict[str, object]:
    """Runs with so much room: 0, one step, two steps, until one finds it enough. folder: to mount in.

    Each round has a copy of one project and a post of its own, so that all of them write as much: the copies share
    DVC's remote. Returns: the figures.
    disk_failed: rounds in which the run failed. disk_recovered: of these, rounds after which the next run completed
    with one promotion. disk_invalid: looks at a pointer that was not valid. disk_complaints: of the failed runs.
    disk_lost: what the runs said in rounds that the next run did not mend.
    """
    complaints, lost, looks, invalid = [], [], 0, 0
    with _small_disk(folder):
        made = make_project(folder / "made")
        if said := _run(made):
            raise RuntimeError(f"{made}: the first run failed: {said}")
        before = len(Registry(made).versions())
        for room_kib in count(0, step_kib):
            root = shutil.copytree(made, folder / "project", symlinks=True)
            drop(root, "monday", [post(FIRST_ID + room_kib)])
            watch = Watch(root)
            with _ballast(folder, room_kib):
                said = _run(root)
            again = _run(root) if said else ""
            mended = not again and len(Registry(root).versions()) == before + 1
            watch.stop()
            looks, invalid = looks + watch.looks, invalid + len(watch.invalid)
            if not said:
                break
            complaints.append(f"{room_kib} KiB: {said}")
            if not mended:
                lost.append(f"{room_kib} KiB: {said}; then: {again}")
            shutil.rmtree(root)
    return {
        "disk_failed": len(complaints),
        "disk_recovered": len(complaints) - len(lost),
        "disk_enough_kib": room_kib,
        "disk_looks": looks,
        "disk_invalid": invalid,
        "disk_complaints": complaints,
        "disk_lost": lost,
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


def _run(root: Path) -> str:
    """What a run complained of; "" if it ended well."""
    command = [sys.executable, "-m", "benchmarks.light_run", str(root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    complaint = done.stderr[done.stderr.rfind("error: ") :].strip()
    return complaint.replace(f"{root}/", "") or "no word" if done.returncode else ""
