"""The figures of baselines, by the names that evaluation has for the linker's."""

from __future__ import annotations

from typing import Any

import polars as pl

from gemel.evaluation.predictions import hits_of
from gemel.evaluation.statistics import Hits, share

WITHIN = (5, 10)


def summarize_baselines(predictions: pl.DataFrame, top: int) -> dict[str, dict[str, Any]]:
    """Of each baseline, in the order it was run: accuracy, hits_at_5, hits_at_10, and how many mentions it answered.

    predictions: of one split. top: how many entities an answer has at most; hits beyond it are not told. The LLM's
    answers have one entity a beam, so that their hits_at_10 is that within the beams.
    """
    variants = predictions["variant"].unique(maintain_order=True)
    return {variant: _figures(predictions.filter(pl.col("variant") == variant), top) for variant in variants}


def _figures(predictions: pl.DataFrame, top: int) -> dict[str, Any]:
    variant = predictions["variant"][0]
    figures: dict[str, Any] = {"accuracy": _figure(hits_of(predictions, variant, 1))}
    for within in (number for number in WITHIN if number <= top):
        figures[f"hits_at_{within}"] = _figure(hits_of(predictions, variant, within))
    return figures | {"answered": int((predictions["answers"].list.len() > 0).sum())}


def _figure(hits: Hits) -> dict[str, Any] | None:
    figure = share(hits)
    return figure.as_dict() if figure else None
