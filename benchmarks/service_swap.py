"""Releases exchanged under load: no request may fail, and each answer must be right for the release that it names."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.sample_release import load_quietly
from benchmarks.service_load import client_of, closed_loop
from benchmarks.service_posts import Heard, due_links, make_shots, percentiles
from benchmarks.service_process import Served
from gemel.bundle import Contents, read_bundle, write_contents
from gemel.changes.assembly import with_entity_changes
from gemel.core.artifacts import MANIFEST, artifact_hash, new_artifact, read_manifest
from gemel.core.drafts import draft_beside, put_in_place
from gemel.core.schema import Post
from gemel.entities.changed import EntityChange
from gemel.llm.names import tokenize_names
from gemel.llm.tokens import load_tokenizer
from gemel.mapper.mapper import WEIGHTS
from gemel.predictor import Linker

CALLERS, PATIENCE_S = 8, 120.0
RENAMED = 50
REFUSED = "the new release is refused"


def renamed(release: Path, target: Path) -> Path:
    """Write a release in which the best known entities have other names."""
    bundle, facts = read_bundle(release), read_manifest(release, "release")
    tokenizer = load_tokenizer(facts["settings"]["backbone"]["llm"]["model"])
    base = Contents(bundle.mapper, bundle.catalog, bundle.trie, bundle.demonstrations, bundle.vectors, release)
    best = bundle.catalog.table.sort("popularity", descending=True).head(RENAMED)
    changes = [EntityChange(row["entity_id"], name=f"{row['name']} II") for row in best.iter_rows(named=True)]
    changed = with_entity_changes(base, changes, lambda names: tokenize_names(names, tokenizer))
    with new_artifact(target, "release", facts) as draft:
        write_contents(draft, changed.contents)
    return target


def flipped(release: Path, target: Path) -> Path:
    """Write a release with one bit of its mapper flipped."""
    shutil.copytree(release, target)
    weights = bytearray((target / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (target / WEIGHTS).write_bytes(weights)
    return target


def other_tokenizer(release: Path, target: Path) -> Path:
    """Write a release that says that its trie was built for another tokenizer."""
    facts = read_manifest(release, "release") | {"tokenizer": "0" * 64}
    with new_artifact(target, "release", facts) as draft:
        ignored = shutil.ignore_patterns(MANIFEST)
        shutil.copytree(release, draft, dirs_exist_ok=True, ignore=ignored)
    return target


class Releases:
    """Releases in a folder, two good and two bad, and what is due from the good ones. shots: with what both answer."""

    def __init__(self, folder: Path, release: Path, posts: Sequence[Post]) -> None:
        folder.mkdir()
        self.good = [Path(shutil.copytree(release, folder / "first")), renamed(release, folder / "second")]
        self.bad = [flipped(release, folder / "flipped"), other_tokenizer(release, folder / "other")]
        linker = load_quietly(release)
        self.shots = make_shots(posts, {name_of(path): _due(linker, path, posts) for path in self.good})


def name_of(release: Path) -> str:
    """As the service names it."""
    return artifact_hash(release)[:16]


def put(release: Path, place: Path) -> None:
    """Put a copy of a release in place of another, as every writer of releases does."""
    with draft_beside(place) as draft:
        shutil.copytree(release, draft, dirs_exist_ok=True)
        put_in_place(draft, place)


async def swap(served: Served, place: Path, releases: Releases, times: int) -> dict[str, object]:
    """The figures. place: where the service's release lies; the first is there. times: that it is exchanged.

    failed: requests without an answer. memory_growth: the most that the worker had while releases were exchanged,
    above what it had before, as a share.
    """
    done, peak = threading.Event(), list[float]()
    async with client_of(served) as client:
        await closed_loop(client, releases.shots, CALLERS, _once(len(releases.shots)))
        before = served.resident_mib()
        exchanging = asyncio.create_task(asyncio.to_thread(_exchange, served, place, releases, times, done))
        watching = asyncio.create_task(asyncio.to_thread(_watch, served, peak, done))
        heard = await closed_loop(client, releases.shots, CALLERS, done.is_set)
        took = await exchanging
        await watching
    why = [str(line["why"]) for line in served.events(REFUSED)]
    figures = _summed(heard) | {"exchanges": len(took), "exchange_s": sorted(took)[len(took) // 2]}
    figures |= {"memory_before_mib": before, "memory_growth": max(peak) / before - 1}
    return figures | {"bad_releases_refused": len(why), "refused_because": "; ".join(why)[:500]}


def _summed(heard: Sequence[Heard]) -> dict[str, object]:
    answered = [each for each in heard if each.status == 200]
    return {
        "swap_requests": len(heard),
        "failed": len(heard) - len(answered),
        "wrong_answers": sum(each.wrong for each in answered),
        "releases_seen": len({each.release for each in answered}),
        "swap_p99_ms": percentiles(answered)["p99_ms"],
    }


def _exchange(served: Served, place: Path, releases: Releases, times: int, done: threading.Event) -> list[float]:
    """Exchange the good ones in turn, then offer the bad ones. Returns: seconds until each good one was in use."""
    took = []
    try:
        for number in range(times):
            release = releases.good[(number + 1) % 2]
            begun = time.monotonic()
            put(release, place)
            _wait(partial(_serves, served, name_of(release)))
            took.append(time.monotonic() - begun)
        for number, release in enumerate(releases.bad):
            put(release, place)
            _wait(partial(_refused, served, number + 1))
        # A worker that starts anew has no former release to go on with.
        put(releases.good[0], place)
        _wait(partial(_serves, served, name_of(releases.good[0])))
    finally:
        done.set()
    return took


def _serves(served: Served, name: str) -> bool:
    return bool(served.info()["release"] == name)


def _refused(served: Served, times: int) -> bool:
    return len(served.events(REFUSED)) >= times


def _watch(served: Served, peak: list[float], done: threading.Event) -> None:
    while not done.wait(0.05):
        peak.append(served.resident_mib())


def _wait(there: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not there():
        if time.monotonic() > end:
            raise RuntimeError(f"a release was neither taken up nor refused within {PATIENCE_S:g} seconds")
        time.sleep(0.1)


def _once(count: int) -> Callable[[], bool]:
    left = iter(range(count))
    return lambda: next(left, None) is None


def _due(linker: Linker, release: Path, posts: Sequence[Post]) -> list[tuple[dict[str, object], ...]]:
    linker.opened = linker.prepare(release)
    return due_links(linker, posts)
