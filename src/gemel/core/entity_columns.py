"""The columns of the table of entities: the posts' tables bring it, the catalog reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

ENTITIES_SCHEMA: Mapping[str, Any] = {
    "entity_id": pl.String,
    "name": pl.String,
    "label": pl.String,
    "description": pl.String,
    "entity_type": pl.String,
    "aliases": pl.List(pl.String),
    "popularity": pl.Float64,
}
