"""Damage that no program makes: what of it is found before it is served, and what is mended.

flips: single bits of every kind of artifact, of the release and of the promoted bundle. cache: objects of DVC's cache,
brought back from the remote. Each part works on copies. Needs `make repro`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults_cache import cache
from benchmarks.faults_flips import flips
from benchmarks.output import show
from benchmarks.processes import alone


@dataclass(frozen=True)
class Size:
    """flips: bits. objects: of DVC's cache that are damaged."""

    flips: int
    objects: int


QUICK, FULL = Size(flips=100, objects=20), Size(flips=1_000, objects=200)


def _flips(size: Size) -> dict[str, object]:
    # BentoML reads once a process where its home is.
    return alone(flips, size.flips)


def _cache(size: Size) -> dict[str, object]:
    return cache(size.objects)


PARTS: dict[str, Callable[[Size], dict[str, object]]] = {"flips": _flips, "cache": _cache}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="fewer of each")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    settings = parser.parse_args()
    if unknown := [part for part in settings.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return settings


def main() -> None:
    settings = parse()
    report: dict[str, object] = {}
    for part in (part for part in PARTS if part in (settings.parts or PARTS)):
        report |= PARTS[part](QUICK if settings.quick else FULL)
    show(report, "faults", as_json=settings.json)


if __name__ == "__main__":
    main()
