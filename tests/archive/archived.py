"""Small archives of posts, and plans of them without a release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gemel.archive.grouping import Repeats
from gemel.archive.plan import Plan, input_facts, settle_plan
from gemel.archive.posts import ArchivePosts, open_posts
from gemel.archive.settings import ArchiveSettings
from gemel.archive.shards import ROWS, write_shard

STRINGS = ("Jaguar", "Amazon", "Mercury")


def post(number: int, *mentions: Any) -> dict[str, Any]:
    """A post whose mentions are strings, or what a file may have in their place."""
    return {"post_id": f"p{number}", "text": f"Post {number} of Jaguar", "image": None, "mentions": list(mentions)}


def write_posts(path: Path, posts: Sequence[dict[str, Any]]) -> Path:
    """Write posts as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(list(posts)).write_parquet(path)
    return path


def write_archive(folder: Path, counts: Sequence[int] = (3, 4)) -> Path:
    """Write a file for each count; posts are numbered through, their mentions take turns."""
    first = 0
    for file, count in enumerate(counts):
        numbers = range(first, first + count)
        write_posts(folder / f"{file}.parquet", [post(number, STRINGS[number % 3]) for number in numbers])
        first += count
    return folder


def opened(folder: Path) -> ArchivePosts:
    """The posts of a folder."""
    return open_posts(sorted(folder.glob("*.parquet")))


def planned(out: Path, source: Path, release: str = "r1", saving: float = 0.0, **settings: Any) -> Plan:
    """A plan of a folder. saving: a share of all, of what `auto` would save."""
    posts = opened(source)
    repeats = Repeats(100, 100, round(100 * saving / (1 - saving)), 0)
    out.mkdir(exist_ok=True)
    asked = ArchiveSettings(**{"shard_posts": 2} | settings)
    return settle_plan(out, input_facts(posts, source), release, source, asked, lambda: repeats, 1)


def link(row: int, **others: Any) -> dict[str, Any]:
    """A row of links, of the post of that row."""
    return dict.fromkeys(ROWS) | {"post_id": f"p{row}", "mention": "Jaguar", "notes": [], "row": row} | others


def write_shards(shards: Path, plan: Plan, rows: Sequence[Sequence[int]]) -> None:
    """Write the shards of a plan. rows: of the links of each."""
    for shard, some in enumerate(rows):
        write_shard(shards, shard, [link(row) for row in some], {"plan": plan.digest, "shard": shard})
