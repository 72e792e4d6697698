"""An archive of synthetic posts of the sample, linked as a whole, killed on the way, and held against `gemel link`.

The archive is linked by one process with one thread, which is killed (SIGKILL) at random times and started again. What
comes out is counted against what the archive's maker says, and a sample of the answers against those of `gemel link`'s
way with the same posts. Speed is that of the finished shards, in wall and CPU time; baselines, in the same run with the
same posts: `gemel link`'s way (a file of posts), and a call for each post. A second archive, of many mention strings,
is linked in its order and grouped by mention.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks.archive_posts import SAMPLE, Archive, many_strings, sampled_archive
from benchmarks.output import show
from benchmarks.sample_release import load_quietly
from gemel.archive.grouping import count_repeats
from gemel.archive.linking import LINKS, SHARDS, link_archive
from gemel.archive.plan import PLAN
from gemel.archive.posts import find_parquet, open_posts
from gemel.archive.settings import ArchiveSettings
from gemel.core.artifacts import MANIFEST
from gemel.links import SCHEMA, link_rows, write_links
from gemel.posts.requests import read_requests
from gemel.predictor import Linker
from gemel.release_facts import read_facts
from gemel.stages import RELEASE

FLOATS = ("score", "probability", "nil_probability")


@dataclass(frozen=True)
class Size:
    """mentions, and posts a shard, of the archive that is killed. sample: posts for `gemel link`'s way; alone: posts of
    a call each. strings: mentions of the archive of many strings. seconds: between which a run is killed."""

    mentions: int
    shard_posts: int
    sample: int
    alone: int
    strings: int
    seconds: tuple[float, float]


QUICK = Size(500, 50, 200, 40, 200, (10.0, 20.0))
FULL = Size(100_000, 2_048, 4_000, 400, 4_000, (30.0, 240.0))
KILLS = 3


@dataclass
class Cost:
    """Time of some mentions."""

    wall: float = 0.0
    work: float = 0.0
    mentions: int = 0

    @contextmanager
    def more(self, mentions: int) -> Iterator[None]:
        """Add what runs inside."""
        wall, work = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.work += time.process_time() - work
        self.mentions += mentions

    def over(self, other: Cost) -> tuple[float, float]:
        """How many times as fast, in wall and in CPU time."""
        return (
            self.mentions / self.wall * other.wall / other.mentions,
            self.mentions / self.work * other.work / other.mentions,
        )


def killed_runs(source: Path, out: Path, size: Size) -> dict[str, object]:
    """Link an archive, killed KILLS times and started again."""
    # Not forked: threads of polars would be missing, and the child wait for them for ever.
    rng, context = np.random.default_rng(int(time.time())), multiprocessing.get_context("spawn")
    settings, kills = ArchiveSettings(shard_posts=size.shard_posts, device="cpu"), 0
    finished: list[int] = []
    while True:
        process = context.Process(target=_link, args=(source, out, settings))
        process.start()
        while process.is_alive() and not (out / PLAN).is_file():
            time.sleep(0.05)
        process.join(rng.uniform(*size.seconds) if kills < KILLS else None)
        process.kill()
        process.join()
        finished.append(len(list((out / SHARDS).glob("[0-9]*"))) if (out / SHARDS).is_dir() else 0)
        if process.exitcode == 0:
            break
        if process.exitcode != -signal.SIGKILL:
            raise RuntimeError(f"{out}: the run did not go on, exit status {process.exitcode}")
        kills += 1
    return {"kills": kills, "shards": finished[-1], "shards_at_kills": str(finished[:-1])}


def shard_cost(out: Path, mentions: int) -> Cost:
    """What linking and writing the finished shards took, whichever run did it."""
    facts = [json.loads(path.read_text())["facts"] for path in sorted((out / SHARDS).glob(f"*/{MANIFEST}"))]
    return Cost(sum(each["seconds"] for each in facts), sum(each["cpu_seconds"] for each in facts), mentions)


def counted(archive: Archive, out: Path) -> dict[str, int]:
    """Rows out against rows in, by ids: those missing, those twice, those that nobody asked for."""
    found = pl.scan_parquet(out / LINKS / "*.parquet").select("post_id", "mention", "start", "error").collect()
    wanted = [
        (post["post_id"], None, None) if not post["text"].strip() else (post["post_id"], each["mention"], each["start"])
        for post in archive.posts
        for each in (post["mentions"] if post["text"].strip() else [None])
    ]
    rows = list(found.select("post_id", "mention", "start").iter_rows())
    return {
        "posts": len(archive.posts),
        "rows_in": archive.rows,
        "rows_out": len(rows),
        "rows_missing": len(set(wanted) - set(rows)),
        "rows_twice": len(rows) - len(set(rows)),
        "rows_of_nothing": len(set(rows) - set(wanted)),
        "out_of_order": int(rows != wanted),
    }


def link_way(linker: Linker, archive: Archive, places: list[int], folder: Path) -> tuple[Cost, Path]:
    """`gemel link POSTS --out LINKS` without its start."""
    lines, links, cost = folder / "sample.jsonl", folder / "sample.parquet", Cost()
    archive.write_lines(lines, places)
    with cost.more(sum(len(archive.posts[place]["mentions"]) for place in places)):
        requests = list(read_requests(lines))
        rows_of = dict(link_rows(linker, requests))
        write_links((row for place in range(len(requests)) for row in rows_of[place]), links)
    return cost, links


def one_by_one(linker: Linker, folder: Path, count: int) -> Cost:
    """A call for each post."""
    cost = Cost()
    for request in list(read_requests(folder / "sample.jsonl"))[:count]:
        if hasattr(request, "mentions"):
            with cost.more(len(request.mentions)):
                linker.link([request])
    return cost


def compared(links: Path, out: Path) -> dict[str, float]:
    """The answers of `gemel link`'s way against those of the archive, for the same posts."""
    theirs = pl.read_parquet(links)
    ours = pl.scan_parquet(out / LINKS / "*.parquet").filter(pl.col("post_id").is_in(theirs["post_id"].to_list()))
    # By what was asked: the sample stands in another order.
    keys = ["post_id", "mention", "start"]
    mine, others = (each.sort(keys, nulls_last=True, maintain_order=True) for each in (ours.collect(), theirs))
    same = [name for name in SCHEMA if name not in (*FLOATS, "runners_up", "error")]
    differing = sum(not mine[name].equals(others[name]) for name in same)
    ranks = [each["runners_up"].list.eval(pl.element().struct.field("entity_id")) for each in (mine, others)]
    largest = max(float((mine[name] - others[name]).abs().max() or 0.0) for name in FLOATS)
    return {
        "compared": others.height,
        "different_columns": differing + int(not mine["error"].is_null().equals(others["error"].is_null())),
        "different_entities": int((mine["entity_id"] != others["entity_id"]).sum()),
        "different_runners_up": int((ranks[0] != ranks[1]).sum()),
        "largest_score_difference": largest,
    }


def grouping(folder: Path, mentions: int) -> dict[str, float]:
    """An archive of many mention strings in its order, and grouped: predicted and measured, all steps in CPU time."""
    archive = many_strings(mentions, max(8, mentions // 2))
    source, shard_posts = folder / "strings", max(16, mentions // 16)
    archive.write_parquet(source)
    demonstrations = read_facts(RELEASE)["settings"]["demonstrations"]["count"]
    repeats = count_repeats(open_posts(find_parquet(source)), shard_posts)
    costs: dict[str, Cost] = {}
    for group in ("none", "mention"):
        settings = ArchiveSettings(group=group, shard_posts=shard_posts, device="cpu")
        with costs.setdefault(group, Cost()).more(mentions):
            _link(source, folder / group, settings)
    linking = {group: shard_cost(folder / group, mentions) for group in costs}
    apart, together = (pl.read_parquet(folder / group / LINKS / "*.parquet") for group in costs)
    return {
        "strings_in_shards": repeats.in_shards,
        "strings_in_all": repeats.in_all,
        "saving_predicted": repeats.saving(demonstrations),
        "saving_of_linking": 1 - linking["mention"].work / linking["none"].work,
        "saving_in_all": 1 - costs["mention"].work / costs["none"].work,
        "grouped_different_entities": int((apart["entity_id"] != together["entity_id"]).sum()),
    }


def _link(source: Path, out: Path, settings: ArchiveSettings) -> None:
    torch.set_num_threads(1)
    link_archive(source, out, RELEASE, SAMPLE, settings)


def run(size: Size, folder: Path) -> dict[str, Any]:
    """All figures."""
    archive, source, out = sampled_archive(size.mentions), folder / "posts", folder / "out"
    archive.write_parquet(source)
    report: dict[str, Any] = killed_runs(source, out, size) | counted(archive, out)
    torch.set_num_threads(1)
    linker = load_quietly(RELEASE)
    places = sorted(np.random.default_rng(1).choice(len(archive.posts), size.sample, replace=False).tolist())
    whole, (ways, links) = shard_cost(out, size.mentions), link_way(linker, archive, places, folder)
    alone = one_by_one(linker, folder, size.alone)
    (ratio, work_ratio), (over_link, work_over_link) = whole.over(alone), whole.over(ways)
    speeds = {name: cost.mentions / cost.wall for name, cost in (("", whole), ("link_", ways), ("alone_", alone))}
    works = {name: cost.mentions / cost.work for name, cost in (("", whole), ("link_", ways), ("alone_", alone))}
    report |= {"ratio": ratio, "work_ratio": work_ratio, "ratio_over_link": over_link}
    report |= {"work_ratio_over_link": work_over_link}
    report |= {f"{name}mentions_per_s": speed for name, speed in speeds.items()}
    report |= {f"{name}mentions_per_cpu_s": speed for name, speed in works.items()}
    return report | compared(links, out) | grouping(folder, size.strings) | {"size": str(asdict(size))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="500 mentions instead of 100,000")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--folder", type=Path, help="keep posts and links there")
    settings = parser.parse_args()
    size = QUICK if settings.quick else FULL
    if settings.folder:
        settings.folder.mkdir(parents=True)
        report = run(size, settings.folder)
    else:
        with tempfile.TemporaryDirectory() as folder:
            report = run(size, Path(folder))
    show(report, "an archive of synthetic posts", as_json=settings.json)


if __name__ == "__main__":
    main()
