"""The result: links in the archive's order, counted against its posts before they are given their place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from gemel.archive.buckets import bucket_count, reordered
from gemel.archive.plan import Plan
from gemel.archive.posts import ArchivePosts
from gemel.archive.shards import LINKS, ROWS, STAGE, read_shards, shard_folder
from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.errors import ArtifactError

_ADVICE = "delete the folder and link the archive again; finished shards are kept"
_SHOWN = 5


@dataclass(frozen=True)
class Totals:
    """What the links of an archive are.

    rows: one a mention, one a refused post. linked: with an entity. nil: of none in the catalog. refused: posts with an
    error. unreadable: mentions whose image can't be read. noted: with something to note.
    """

    posts: int = 0
    rows: int = 0
    linked: int = 0
    nil: int = 0
    refused: int = 0
    unreadable: int = 0
    noted: int = 0

    def __add__(self, other: Totals) -> Totals:
        mine, others = asdict(self), asdict(other)
        return Totals(**{name: mine[name] + others[name] for name in mine})


def write_result(folder: Path, plan: Plan, posts: ArchivePosts, shards: Path) -> Totals:
    """Bring the links of all shards into the archive's order, as Parquet files whose names have that order.

    They are the shards' own files where posts were linked in their order. posts: in the archive's order. shards: the
    folder of finished ones, all of them.
    Raises: ArtifactError if a post has no links or has them twice; the folder is not made then.
    """
    facts: dict[str, object] = {"plan": plan.digest, "release": plan.release}
    with new_artifact(folder, STAGE, facts) as draft:
        grouped = plan.group == "mention"
        part_posts = -(-plan.posts // bucket_count(plan.posts)) if grouped else plan.shard_posts
        if grouped:
            _write_ordered(draft, plan, shards, part_posts)
        else:
            for shard in plan.shards:
                _same_file(shard_folder(shards, shard) / LINKS, draft / f"{shard:08}.parquet")
        totals = _counted(draft, posts, part_posts)
        facts |= {"part_posts": part_posts, "totals": asdict(totals)}
    return totals


def finished_result(folder: Path, plan: Plan) -> Totals | None:
    """What the links in a folder are; None if there are none of this plan that are whole."""
    try:
        facts = read_manifest(folder, STAGE, check_hashes=True, advice=_ADVICE)
        return Totals(**facts["totals"]) if facts["plan"] == plan.digest else None
    except (ArtifactError, KeyError, TypeError, AttributeError):
        return None


def verify_result(folder: Path, plan: Plan, posts: ArchivePosts) -> Totals:
    """Count the links of a finished archive against its posts, after checking every file against its hash.

    posts: in the archive's order.
    Raises: ArtifactError if a file is missing or damaged, or a post has no links or has them twice.
    """
    facts = read_manifest(folder, STAGE, check_hashes=True, advice=_ADVICE)
    if facts["plan"] != plan.digest:
        raise ArtifactError(f"{folder}: links of another plan than lies beside them; {_ADVICE}")
    return _counted(folder, posts, facts["part_posts"])


def _write_ordered(draft: Path, plan: Plan, shards: Path, part_posts: int) -> None:
    work = draft / "work"
    work.mkdir()
    # Stable: the mentions of a post keep their order.
    ordered = reordered(
        read_shards(shards, plan.shards),
        pl.col("row") // part_posts,
        lambda frame: frame.sort("row", maintain_order=True),
        work,
    )
    for number, frame in ordered:
        frame.write_parquet(draft / f"{number:08}.parquet")
    work.rmdir()


def _same_file(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has links.
        shutil.copyfile(source, target)


def _counted(folder: Path, posts: ArchivePosts, part_posts: int) -> Totals:
    """Raises: ArtifactError if rows and posts don't fit together."""
    totals = Totals()
    parts, wanted = sorted(folder.glob("*.parquet")), -(-len(posts) // part_posts)
    if len(parts) != wanted:
        raise ArtifactError(f"{folder}: {len(parts)} files of links instead of {wanted}; {_ADVICE}")
    for path, frame in zip(parts, posts.slices(part_posts), strict=True):
        links = pl.read_parquet(path)
        if links.schema != pl.Schema(ROWS):
            raise ArtifactError(f"{path}: other columns than those of links; {_ADVICE}")
        wrong = sorted(_wrong_rows(frame, links))
        if wrong:
            some = ", ".join(map(str, wrong[:_SHOWN]))
            raise ArtifactError(
                f"{path}: {len(wrong)} posts without links, or not as many as mentions, such as rows {some}; {_ADVICE}"
            )
        totals += _totals(frame, links)
    return totals


def _wrong_rows(posts: pl.DataFrame, links: pl.DataFrame) -> Iterator[int]:
    """Rows of posts with too few or too many links, and of links without a post."""
    found = links.group_by("row").agg(found=pl.len(), refused=pl.col("error").is_not_null().any())
    wanted = posts.select("row", mentions=pl.col("mentions").list.len().fill_null(0))
    both = wanted.join(found, on="row", how="full", coalesce=True)
    right = pl.when("refused").then(1).otherwise(pl.max_horizontal("mentions", 1))
    fits = (pl.col("found") == right) & pl.col("mentions").is_not_null()
    yield from both.filter(~fits.fill_null(False))["row"]


def _totals(posts: pl.DataFrame, links: pl.DataFrame) -> Totals:
    return Totals(
        posts=posts.height,
        rows=links.height,
        linked=links["entity_id"].count(),
        nil=int(links["nil"].sum() or 0),
        refused=links["error"].count(),
        unreadable=int(links["image"].str.starts_with("unreadable").sum() or 0),
        noted=int((links["notes"].list.len() > 0).sum() or 0),
    )
