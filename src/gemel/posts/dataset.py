"""The project's own data set format: posts.jsonl, entities.jsonl, images/ and dataset.json in one folder.

Beside them may lie redirects.tsv: gold ids and the ids of entities are then replaced by the living ids that it states;
popularity.tsv: how well known entities are, in place of what entities.jsonl says;
images.parquet, in place of images/ where these stay in an archive; image_vectors.npy and .parquet, in place of images.

A row that breaks the format is not lost: it becomes a rejected row with its file, line and reason. A mention that
breaks it is rejected alone, its post stays. A post whose image can't be had stays too; the table says why. Files are
UTF-8, with or without a byte-order mark; a file in UTF-16 is refused as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from gemel.core.errors import DataError
from gemel.core.image_files import ImageFiles, ImageFolder
from gemel.core.schema import Entity
from gemel.posts.columns import POSTS_SCHEMA, Columns, Schema
from gemel.posts.image_check import check_images
from gemel.posts.mentions import MentionReader
from gemel.posts.popularity import POPULARITY, read_popularity
from gemel.posts.redirects import REDIRECTS, read_redirects
from gemel.posts.rows import EntityLine, PostLine, Rows, read_rows

FORMAT = 1
POSTS, ENTITIES, FACTS = "posts.jsonl", "entities.jsonl", "dataset.json"
MENTIONS = f"{POSTS}:mentions"
# What posts.jsonl itself says; the image's columns come when it has been looked at.
_SCHEMA: Schema = {name: POSTS_SCHEMA[name] for name in ("post_id", "text", "image", "split", "caption", "topic")}
_CHECK_SCHEMA: Schema = {name: POSTS_SCHEMA[name] for name in ("image", "image_status", "image_reason", "image_sha256")}


@dataclass(frozen=True)
class RawDataset:
    """All rows of a data set, in the order of its files.

    posts, mentions, rejected: tables with the columns of columns.SCHEMAS.
    entities: their names as given, perhaps empty; not told apart yet.
    rows_in: rows read, by source; each source's number is that of its kept and its rejected rows together.
    redirected_mentions: how many gold ids were replaced by the living id that redirects.tsv states.
    """

    name: str
    posts: pl.DataFrame
    mentions: pl.DataFrame
    entities: tuple[Entity, ...]
    rejected: pl.DataFrame
    rows_in: Mapping[str, int]
    redirected_mentions: int = 0


def read_dataset(
    folder: Path, files: ImageFiles | None = None, vectors: Mapping[str, str] = MappingProxyType({})
) -> RawDataset:
    """Read a data set, checking each of its rows and images.

    Rows become columns as they are read: what stays in memory is the tables, the ids and the entities.
    files: its images; None: those in its folder. vectors: as check_images.
    Raises: DataError if a file is missing, dataset.json is of another format, redirects.tsv is broken, or no usable
    post or entity is left.
    """
    name = str(read_facts(folder).get("name") or folder.name)
    redirects = read_redirects(folder / REDIRECTS) if (folder / REDIRECTS).exists() else {}
    entity_rows, post_rows = Rows(ENTITIES), Rows(POSTS)
    entities = _read_entities(folder, redirects, entity_rows)
    mentions = MentionReader(MENTIONS, {entity.entity_id for entity in entities}, redirects)
    posts = _with_images(_read_posts(folder, mentions, post_rows), files or ImageFolder(folder), vectors)
    mention_table = mentions.table(posts)
    sources = (post_rows, mentions.rows, entity_rows)
    for rows, count in zip(sources, (posts.height, mention_table.height, len(entities)), strict=True):
        rows.check_sum(count)
    return RawDataset(
        name=name,
        posts=posts,
        mentions=mention_table,
        entities=entities,
        rejected=pl.concat([rows.rejected.table() for rows in sources]),
        rows_in={rows.source: rows.read for rows in sources},
        redirected_mentions=mentions.redirected,
    )


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what dataset.json of a data set states.

    Raises: DataError if the folder or the file is missing, damaged or of another format.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such data set; import one with `gemel import` or correct `dataset` in the settings"
        )
    path = folder / FACTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; a data set says its name and format there") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from error
    found = facts.get("format") if isinstance(facts, dict) else None
    if found != FORMAT:
        raise DataError(f"{path}: expected format {FORMAT}, found {found!r}; import the data set again")
    return dict(facts)


def _read_entities(folder: Path, redirects: Mapping[str, str], rows: Rows) -> tuple[Entity, ...]:
    """Read the entities and give them their living ids; one whose living id has another row is rejected."""
    popularity = read_popularity(folder / POPULARITY) if (folder / POPULARITY).exists() else None
    entities: list[Entity] = []
    for line, entity in list(read_rows(folder / ENTITIES, EntityLine, rows)):
        living = redirects.get(entity.id, entity.id)
        try:
            if living != entity.id:
                rows.claim(living, line)
        except ValueError as error:
            rows.reject(line, entity.model_dump_json(exclude_none=True), f"{error}, to which {entity.id!r} redirects")
        else:
            count = (entity.popularity or 0.0) if popularity is None else popularity.get(living, 0.0)
            entities.append(_entity(entity, living, count))
    _expect_rows(folder, rows, len(entities))
    return tuple(entities)


def _read_posts(folder: Path, mentions: MentionReader, rows: Rows) -> pl.DataFrame:
    """Read the posts, columns as _SCHEMA, and hand their mentions on."""
    kept = Columns(_SCHEMA)
    for line, post in read_rows(folder / POSTS, PostLine, rows):
        mentions.read(post, line, len(kept))
        kept.append(post.id, post.text, post.image, post.split, post.caption, post.topic)
    _expect_rows(folder, rows, len(kept))
    return kept.table()


def _expect_rows(folder: Path, rows: Rows, kept: int) -> None:
    if kept:
        return
    path = folder / rows.source
    if not rows.read:
        raise DataError(f"{path}: it has no rows")
    first = rows.rejected.table().row(0, named=True)
    raise DataError(
        f"{path}: none of its {rows.read} rows can be used; line {first['line']} because of {first['reason']}"
    )


def _with_images(posts: pl.DataFrame, files: ImageFiles, vectors: Mapping[str, str]) -> pl.DataFrame:
    """Look at each image once, and say in the table what became of it."""
    names = posts["image"].drop_nulls().unique(maintain_order=True)
    checks = check_images(files, names, vectors)
    found = [(name, check.status, check.reason, check.sha256) for name, check in checks.items()]
    status = pl.DataFrame(found, schema=_CHECK_SCHEMA, orient="row")
    joined = posts.join(status, on="image", how="left", maintain_order="left")
    return joined.with_columns(pl.col("image_status").fill_null("none")).select(*POSTS_SCHEMA)


def _entity(line: EntityLine, living: str, popularity: float) -> Entity:
    return Entity(
        entity_id=living,
        name=line.name or "",
        label=line.label,
        description=line.description or "",
        entity_type=line.type or "",
        aliases=tuple(line.aliases or ()),
        popularity=popularity,
        title=line.title or "",
        year=line.year,
        language=line.language or "",
    )
