"""The tables that all later stages read: posts, mentions, entities, their names, and the rows that were rejected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from gemel.core.entity_columns import ENTITIES_SCHEMA
from gemel.core.errors import ArtifactError
from gemel.core.schema import Entity
from gemel.posts.columns import NAMES_SCHEMA, SCHEMAS, Schema
from gemel.posts.dataset import RawDataset


@dataclass(frozen=True)
class Tables:
    """The tables of one data set, rows in the order of its files, columns as in SCHEMAS.

    names: every name that an entity goes by, the generated one first, then label, title and aliases.
    """

    posts: pl.DataFrame
    mentions: pl.DataFrame
    entities: pl.DataFrame
    names: pl.DataFrame
    rejected: pl.DataFrame

    def write(self, folder: Path) -> None:
        """Write `<table>.parquet` of each table; equal tables give equal bytes."""
        for table in fields(self):
            getattr(self, table.name).write_parquet(folder / f"{table.name}.parquet", compression="zstd")

    @classmethod
    def read(cls, folder: Path) -> Tables:
        """Read what `write` wrote.

        Raises: ArtifactError if a table is absent, damaged or has other columns.
        """
        return cls(**{name: _read_table(folder / f"{name}.parquet", schema) for name, schema in SCHEMAS.items()})


def build_tables(dataset: RawDataset, entities: Sequence[Entity]) -> Tables:
    """Turn the rows of a data set into tables.

    entities: the data set's, with unique names.
    """
    return Tables(
        posts=dataset.posts,
        mentions=dataset.mentions,
        entities=_entities_table(entities),
        names=_names_table(entities),
        rejected=dataset.rejected,
    )


def table_facts(tables: Tables) -> dict[str, Any]:
    """Counts that describe the tables, for manifests and reports.

    Returns: numbers of rows by table; `images` = posts by image status; of the mentions those that are not in their
    text, are in it more than once, have no gold entity (NIL), or have one that the catalog lacks.
    """
    mentions = tables.mentions
    gold = mentions["entity_id"].is_not_null()
    images = tables.posts.group_by("image_status").len().sort("image_status")
    return {
        **{table.name: getattr(tables, table.name).height for table in fields(tables)},
        "images": dict(images.iter_rows()),
        "mentions_not_in_text": int((~mentions["in_text"]).sum()),
        "repeated_mentions": int((mentions["occurrences"] > 1).sum()),
        "nil_mentions": int((~gold).sum()),
        "mentions_out_of_kb": int((gold & ~mentions["in_kb"]).sum()),
    }


def _entities_table(entities: Iterable[Entity]) -> pl.DataFrame:
    rows = [
        (
            entity.entity_id,
            entity.name,
            entity.label,
            entity.description,
            entity.entity_type,
            list(entity.aliases),
            entity.popularity,
        )
        for entity in entities
    ]
    return pl.DataFrame(rows, schema=ENTITIES_SCHEMA, orient="row")


def _names_table(entities: Iterable[Entity]) -> pl.DataFrame:
    rows = [
        (entity.entity_id, name, entity.language or None, kind)
        for entity in entities
        for kind, name in dict.fromkeys(_names_of(entity))
        if name.strip()
    ]
    return pl.DataFrame(rows, schema=NAMES_SCHEMA, orient="row")


def _names_of(entity: Entity) -> Iterator[tuple[str, str]]:
    yield "generated", entity.name
    yield "label", entity.label
    yield "title", entity.title
    for alias in entity.aliases:
        yield "alias", alias


def _read_table(path: Path, schema: Schema) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; run `dvc repro posts`") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{path}: not a readable parquet file ({error}); run `dvc repro posts`") from error
    if dict(table.schema) != dict(schema):
        raise ArtifactError(
            f"{path}: expected the columns {list(schema)}, found {dict(table.schema)}; run `dvc repro posts`"
        )
    return table
