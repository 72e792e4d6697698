"""What the checks look at: a few columns of each table, and small tables about the whole data set.

Rows that a check does not apply to are null in its column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gemel.core.schema import SPLITS
from gemel.posts.columns import SCHEMAS
from gemel.posts.dataset import ENTITIES, MENTIONS, POSTS
from gemel.posts.drift import Movement
from gemel.posts.languages import UNDECIDED
from gemel.posts.tables import Tables

# What names a row in a result, by table: its key, then what else a reader wants to see of it.
KEYS = {
    "columns": ("column",),
    "sources": ("source", "first_rejected"),
    "splits": ("split",),
    "posts": ("post_id",),
    "mentions": ("mention_id",),
    "entities": ("entity_id",),
    "features": ("feature", "moved"),
}
TABLE_OF_SOURCE = {POSTS: "posts", MENTIONS: "mentions", ENTITIES: "entities"}
USUAL_FACTOR = 10
# A picture in more posts than both of these is likelier a placeholder than a favourite.
PLACEHOLDER_USES, PLACEHOLDER_SHARE = 10, 0.01


@dataclass(frozen=True)
class Usual:
    """What most rows are like, the measure of an outlier.

    shortest, longest: characters of a text. language: the commonest, "" if no text shows its language. most_uses:
    posts that one picture may stand in.
    """

    shortest: int
    longest: int
    language: str
    most_uses: int


def usual(posts: pl.DataFrame) -> Usual:
    """Find out what is usual in the frame of the posts: medians and modes, which outliers do not move."""
    median = float(posts.select(pl.col("text_length").median().fill_null(0.0)).item())
    spoken = posts["language"].drop_nulls().value_counts().sort(["count", "language"], descending=[True, False])
    pictured = posts["posts_with_image"].count()
    return Usual(
        shortest=int(median / USUAL_FACTOR),
        longest=int(median * USUAL_FACTOR),
        language=spoken["language"][0] if len(spoken) else "",
        most_uses=max(PLACEHOLDER_USES, int(PLACEHOLDER_SHARE * pictured)),
    )


def posts_frame(posts: pl.DataFrame, languages: pl.DataFrame) -> pl.DataFrame:
    """Posts with the language of those that are in the sample and show it, and how many posts have the same picture."""
    status, sha256 = pl.col("image_status"), pl.col("image_sha256")
    shown = languages.filter(pl.col("language") != UNDECIDED)
    return posts.select(
        "post_id",
        "text",
        "split",
        "image_status",
        image_of_post=pl.when(status != "none").then(status),
        posts_with_image=pl.when(sha256.is_not_null()).then(pl.len().over("image_sha256")),
        text_length=pl.col("text").str.len_chars(),
    ).join(shown, on="post_id", how="left", maintain_order="left")


def mentions_frame(tables: Tables) -> pl.DataFrame:
    """Mentions with the text that their span covers, and with what other rows say of them."""
    start, end, split = pl.col("start"), pl.col("end"), pl.col("split")
    picture = tables.posts.select("post_id", picture=pl.coalesce("image_sha256", "image")).unique("post_id")
    gold = pl.col("entity_id").is_not_null()
    catalog = pl.col("entity_id").is_in(tables.entities["entity_id"].implode())
    same = ("text", "mention", "picture")
    splits_with_text = split.n_unique().over("text")
    return tables.mentions.join(picture, on="post_id", how="left", maintain_order="left").select(
        "mention_id",
        "mention",
        "split",
        covered=pl.when(start.is_not_null()).then(pl.col("text").str.slice(start, end - start)),
        in_text=_yes_no("in_text"),
        post_known=_yes_no(pl.col("post_id").is_in(tables.posts["post_id"].implode())),
        has_gold=_yes_no(gold),
        in_kb=pl.when(gold).then(_yes_no("in_kb")),
        in_catalog=pl.when(gold).then(_yes_no(catalog)),
        golds_of_it=pl.col("entity_id").n_unique().over(same),
        splits_with_it=split.n_unique().over(same),
        splits_with_dev_text=pl.when(split == "dev").then(splits_with_text),
        splits_with_test_text=pl.when(split == "test").then(splits_with_text),
    )


def splits_frame(mentions: pl.DataFrame) -> pl.DataFrame:
    """One row a split: the mentions that can be learned from or graded, since the catalog has their entity."""
    counts = mentions.filter("in_kb").group_by("split").len("gradable_mentions")
    splits = pl.DataFrame({"split": SPLITS})
    return splits.join(counts, on="split", how="left", maintain_order="left").fill_null(0)


def columns_frame(folder: Path) -> pl.DataFrame:
    """One row a column: its type as it should be, and as it is in the written parquet file."""
    expected = {f"{table}.{name}": str(kind) for table, schema in SCHEMAS.items() for name, kind in schema.items()}
    found = {
        f"{table}.{name}": str(kind)
        for table in SCHEMAS
        for name, kind in pl.read_parquet_schema(folder / f"{table}.parquet").items()
    }
    rows = [(name, expected.get(name, "absent"), found.get(name, "absent")) for name in expected | found]
    return pl.DataFrame(rows, schema=["column", "expected", "found"], orient="row")


def sources_frame(folder: Path, rows_in: Mapping[str, int]) -> pl.DataFrame:
    """One row a file that was read: rows in, and what the written parquet files have of them.

    rows_in: rows that the reader met, by source.
    """
    first = pl.format("line {}: {}", "line", "reason").first()
    rejected = pl.scan_parquet(folder / "rejected.parquet").group_by("source").agg(pl.len(), first=first).collect()
    by_source = {source: (rows, words) for source, rows, words in rejected.iter_rows()}
    rows = []
    for source in dict.fromkeys((*rows_in, *sorted(by_source))):
        read = rows_in.get(source, 0)
        lost, words = by_source.get(source, (0, ""))
        kept = _height(folder / f"{TABLE_OF_SOURCE[source]}.parquet") if source in TABLE_OF_SOURCE else 0
        rows.append((source, read, kept + lost, lost / read if read else 0.0, words))
    columns = ["source", "rows_in", "rows_out_and_rejected", "rejected_share", "first_rejected"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def features_frame(movements: tuple[Movement, ...]) -> pl.DataFrame:
    """One row a feature that is compared with the accepted version's."""
    schema = {"feature": pl.String, "distance": pl.Float64, "lost": pl.Float64, "moved": pl.String}
    return pl.DataFrame([vars(movement) for movement in movements], schema=schema)


def _height(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())


def _yes_no(said: str | pl.Expr) -> pl.Expr:
    return pl.when(said).then(pl.lit("yes")).otherwise(pl.lit("no"))
