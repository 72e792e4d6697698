"""Runs of a light project that are killed at random points, and what the next run makes of it.

Half of the kills are of the process that runs the flow, the other half of all that it started, as the end of a worker
or of the machine is. Another process looks at the champion's pointer all the time.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.light_project import drop, make_project, post
from gemel.core.artifacts import read_manifest
from gemel.core.errors import GemelError
from gemel.registry.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
FIRST_ID = 10_000
PATIENCE_S = 300


class Watch:
    """Looks at the champion's pointer until `stop`. invalid: what was wrong with it, if ever. looks: how many."""

    def __init__(self, root: Path) -> None:
        self.invalid: list[str] = []
        self.looks = 0
        self._link, self._over = root / ".gemel" / "releases" / "champion", threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            try:
                # As the service does: resolved once, then read.
                read_manifest(self._link.resolve(strict=True), "release", check_hashes=True)
            except (GemelError, OSError) as error:
                self.invalid.append(str(error))
            self.looks += 1


def kill_runs(folder: Path, kills: int, seed: int = 0) -> dict[str, object]:
    """Kill this many runs. folder: for the project. Returns: the figures.

    resumed_share: kills after which the next run ended well and the posts were in the champion, once.
    promotions_lost, promotions_twice: batches without a promotion, or with several.
    """
    rng, root, found = random.Random(seed), make_project(folder / "project"), Found()
    whole_s = _timed(root)
    watch = Watch(root)
    # Ctrl-C ends it with what was found so far.
    with contextlib.suppress(KeyboardInterrupt):
        for number in range(kills):
            _kill_and_go_on(root, number, rng.uniform(0, whole_s), found)
    watch.stop()
    return {
        "kills": found.kills,
        "kills_before_the_end": found.in_time,
        "resumed_share": found.resumed / max(1, found.kills),
        "promotions_lost": found.lost,
        "promotions_twice": found.twice,
        "pointer_looks": watch.looks,
        "pointer_invalid": len(watch.invalid),
        "run_s": round(whole_s, 1),
    }


@dataclass
class Found:
    """Counts. in_time: kills of a run that was still at work."""

    kills: int = 0
    in_time: int = 0
    resumed: int = 0
    lost: int = 0
    twice: int = 0


def _kill_and_go_on(root: Path, number: int, after_s: float, found: Found) -> None:
    before = len(_promotions(root))
    drop(root, f"batch-{number}", [post(FIRST_ID + number)])
    in_time = _killed(root, after_s, everything=number % 2 == 1)
    ended_well = _start(root).wait(PATIENCE_S) == 0
    promotions = len(_promotions(root)) - before
    found.kills, found.in_time = found.kills + 1, found.in_time + in_time
    found.lost, found.twice = found.lost + (promotions < 1), found.twice + (promotions > 1)
    found.resumed += ended_well and promotions == 1 and _times_in_champion(root, FIRST_ID + number) == 1


def _timed(root: Path) -> float:
    """Seconds of a run that makes a champion; it is the first, and nothing kills it."""
    began = time.monotonic()
    if _start(root).wait(PATIENCE_S) != 0:
        raise RuntimeError(f"{root}: the first run failed; `python -m benchmarks.light_run {root}` shows why")
    return time.monotonic() - began


def _start(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.light_run", str(root)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True)


def _killed(root: Path, after_s: float, *, everything: bool) -> bool:
    """Kill a run after so long. Returns: whether it was still at work."""
    process = _start(root)
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        if everything:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        return True
    return False


def _promotions(root: Path) -> list[str]:
    return [event.version for version in Registry(root).versions() for event in version.events]


def _times_in_champion(root: Path, number: int) -> int:
    folder = Registry(root).champion_folder()
    assert folder is not None
    lines = (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line)["id"] == f"p{number}" for line in lines)
