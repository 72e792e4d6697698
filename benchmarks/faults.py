"""Damage that no program makes: what of it is found before it is served, and what is mended.

flips: single bits of every kind of artifact, of the release and of the promoted bundle. cache: objects of DVC's cache,
brought back from the remote. kills: retraining runs that end at random points. disk: runs on a full disk. Each part
works on copies; flips and cache need `make repro`, disk the right to mount.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.faults_cache import cache
from benchmarks.faults_disk import fill_disk
from benchmarks.faults_flips import flips
from benchmarks.faults_kills import kill_runs
from benchmarks.output import show
from benchmarks.parts import parts_parser
from benchmarks.prefect_server import own_server
from benchmarks.processes import alone


@dataclass(frozen=True)
class Size:
    """flips: bits. objects: of DVC's cache that are damaged. kills: of runs. step_kib: of room on a full disk."""

    flips: int
    objects: int
    kills: int
    step_kib: int


QUICK, FULL = Size(flips=100, objects=20, kills=1, step_kib=128), Size(flips=1_000, objects=200, kills=50, step_kib=16)


def _flips(size: Size) -> dict[str, object]:
    # BentoML reads once a process where its home is.
    return alone(flips, size.flips)


def _cache(size: Size) -> dict[str, object]:
    return cache(size.objects)


def _runs(measure: Callable[[Path, Size], dict[str, object]], size: Size) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name, own_server(Path(name) / "server"):
        return measure(Path(name) / "runs", size)


PARTS: dict[str, Callable[[Size], dict[str, object]]] = {
    "flips": _flips,
    "cache": _cache,
    "kills": partial(_runs, lambda folder, size: kill_runs(folder, size.kills)),
    "disk": partial(_runs, lambda folder, size: fill_disk(folder, size.step_kib)),
}


def main() -> None:
    settings = parts_parser(__doc__, PARTS, "fewer of each").parse_args()
    # In the background, a shell has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report: dict[str, object] = {}
    for part in (part for part in PARTS if part in (settings.parts or PARTS)):
        report |= PARTS[part](QUICK if settings.quick else FULL)
    show(report, "faults", as_json=settings.json)


if __name__ == "__main__":
    main()
