"""The columns of the tables, and a table that grows row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from gemel.core.entity_columns import ENTITIES_SCHEMA

Schema = Mapping[str, Any]
POSTS_SCHEMA: Schema = {
    "post_id": pl.String,
    "text": pl.String,
    "image": pl.String,  # path relative to the data set's folder, with / between its parts
    "image_sha256": pl.String,  # null unless image_status is "read" or "vector"
    "image_status": pl.String,
    "image_reason": pl.String,
    "split": pl.String,
    "caption": pl.String,
    "topic": pl.String,  # of the post, where the data set has topics
}
MENTIONS_SCHEMA: Schema = {
    "mention_id": pl.String,
    "post_id": pl.String,
    "mention": pl.String,
    "start": pl.Int64,  # characters, null where the place isn't known
    "end": pl.Int64,
    "in_text": pl.Boolean,
    "occurrences": pl.Int64,
    "entity_id": pl.String,  # null for NIL
    "in_kb": pl.Boolean,
    "split": pl.String,
    "text": pl.String,
}
NAMES_SCHEMA: Schema = {
    "entity_id": pl.String,
    "name": pl.String,
    "language": pl.String,  # null where it isn't known
    "kind": pl.String,  # generated (by the LLM), label, title (of its Wikipedia article) or alias
}
REJECTED_SCHEMA: Schema = {"source": pl.String, "line": pl.Int64, "row": pl.String, "reason": pl.String}
SCHEMAS: Mapping[str, Schema] = {
    "posts": POSTS_SCHEMA,
    "mentions": MENTIONS_SCHEMA,
    "entities": ENTITIES_SCHEMA,
    "names": NAMES_SCHEMA,
    "rejected": REJECTED_SCHEMA,
}
# Rows that are Python objects at a time: ten times the size of what they are in a table.
CHUNK = 20_000


class Columns:
    """A table that grows row by row; all but its last CHUNK rows are columns already."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._frames = [pl.DataFrame(schema=schema)]
        self._rows: list[tuple[Any, ...]] = []
        self._height = 0

    def __len__(self) -> int:
        return self._height

    def append(self, *row: Any) -> None:
        """Add a row, its values in the order of the schema."""
        self._rows.append(row)
        self._height += 1
        if len(self._rows) == CHUNK:
            self._flush()

    def table(self) -> pl.DataFrame:
        """All rows so far, in their order."""
        self._flush()
        return pl.concat(self._frames, rechunk=True)

    def _flush(self) -> None:
        if self._rows:
            columns = dict(zip(self._schema, zip(*self._rows, strict=True), strict=True))
            self._frames.append(pl.DataFrame(columns, schema=self._schema))
            self._rows = []
