"""The columns of the service's records, one row a mention: the service writes them, monitoring reads them."""

from typing import Any

import polars as pl

RECORD_COLUMNS: dict[str, Any] = {
    "time": pl.Datetime("ms", "UTC"),
    "request_id": pl.String,
    "release": pl.String,
    "text_length": pl.UInt32,
    "text": pl.String,
    "mention": pl.String,
    "image": pl.String,
    "image_vector": pl.List(pl.Float16),
    "entity_id": pl.String,
    "name": pl.String,
    "score": pl.Float64,
    "probability": pl.Float64,
    "margin": pl.Float64,
    "candidates": pl.UInt16,
    "nil": pl.Boolean,
    "nil_probability": pl.Float64,
    "sure": pl.Boolean,
    "waited_ms": pl.Float32,
    "worked_ms": pl.Float32,
    "together": pl.UInt16,
}
