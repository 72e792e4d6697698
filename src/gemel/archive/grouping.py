"""Whether posts with equal first mentions are brought together over the whole archive, and how.

Posts with equal mentions show the same demonstrations, which are read once for all that are linked together. A shard
sorts its own posts by mention anyway, so what grouping gains is that demonstrations which several shards show are read
by one of them. A demonstration is about as long as a query; of a mention with n of them reading costs n + 1, of one
that shares them 1. What else a mention costs, its image and the steps of its search, is the same in both orders.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.archive.buckets import bucket_count, reordered
from gemel.archive.posts import POSTS, ArchivePosts

# Share of what is read that grouping must save. Below, the sorted copy of the posts, and the ordering of the links
# afterwards, are not worth their disk; their time is nothing beside linking (benchmarks.archive).
LEAST_SAVING = 0.1
SLICE = 16_384
_SKETCH = 65_536
_FIRST = pl.col("mentions").list.first().struct.field("mention")


@dataclass(frozen=True)
class Repeats:
    """How often first mentions come again.

    mentions: of all posts. in_shards: different first mentions of each shard, added up. in_all: different ones of the
    archive, within a percent where they are more than some ten thousand.
    """

    posts: int
    mentions: int
    in_shards: int
    in_all: int

    def saving(self, demonstrations: int) -> float:
        """Share of what is read that grouping saves. demonstrations: of each mention.

        Mentions behind a post's first one are taken to share nothing in either order.
        """
        others = max(0, self.mentions - self.posts)
        apart = demonstrations * (self.in_shards + others) + self.mentions
        return demonstrations * (self.in_shards - self.in_all) / apart if apart else 0.0


def count_repeats(posts: ArchivePosts, shard_posts: int) -> Repeats:
    """Count, in one pass and bounded memory, how often first mentions come again."""
    mentions = in_shards = 0
    least = np.zeros(0, dtype=np.uint64)
    for frame in posts.slices(shard_posts):
        mentions += int(frame["mentions"].list.len().sum() or 0)
        hashes = np.unique(frame.select(_FIRST).to_series().drop_nulls().hash().to_numpy())
        in_shards += len(hashes)
        # The least of many random numbers tell how many there are (k minimum values).
        least = np.union1d(least, hashes)[:_SKETCH]
    return Repeats(len(posts), mentions, in_shards, min(in_shards, _different(least)))


def write_grouped(posts: ArchivePosts, folder: Path) -> None:
    """Write the posts ordered by their first mention, files of POSTS by name; equal ones keep the archive's order.

    folder: an empty one.
    """
    work = folder / "work"
    work.mkdir()
    bucket = _FIRST.hash() % bucket_count(len(posts))
    frames: Iterable[pl.DataFrame] = posts.slices(SLICE)
    for number, frame in reordered(frames, bucket, _by_mention, work):
        frame.select(*POSTS).write_parquet(folder / f"{number:05}.parquet", row_group_size=SLICE)
    work.rmdir()


def _by_mention(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(_FIRST, "row", nulls_last=True)


def _different(least: npt.NDArray[np.uint64]) -> int:
    if len(least) < _SKETCH:
        return len(least)
    return round((_SKETCH - 1) / (float(least[-1]) / 2**64))
