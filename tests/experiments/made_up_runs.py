"""Runs with made-up outcomes, as folders of artifacts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from gemel.core.artifacts import new_artifact

SCHEMA = {
    **{"split": pl.String, "variant": pl.String, "seed": pl.Int32, "mention_id": pl.String, "entity_id": pl.String},
    **{"answers": pl.List(pl.String), "place": pl.Int32},
}
CARD = {
    "data set": "made up",
    "names": 9,
    "names SHA-256": "f",
    "graded by": "id",
    "LLM": "tiny",
    "demonstrations": "4 by bm25",
    "vision encoder": "eye",
}


def predictions(runs: Mapping[str, Sequence[str]], split: str = "test") -> pl.DataFrame:
    """runs: by variant, one string a seed with the place of the gold entity for each mention; 0: nowhere."""
    rows = [
        (split, variant, seed, f"m{number}", "Q1", ["Q1"] if place == "1" else ["Q2", "Q1"], int(place))
        for variant, seeds in runs.items()
        for seed, places in enumerate(seeds)
        for number, place in enumerate(places)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def write_run(
    folder: Path,
    runs: Mapping[str, Sequence[str]],
    slices: Mapping[str, Sequence[str]] | None = None,
    dev: Mapping[str, Sequence[str]] | None = None,
    **card: object,
) -> Path:
    """runs: of test. slices: by dimension, the group of each mention. card: entries that differ from CARD."""
    table = pl.concat([predictions(runs), predictions(dev or {}, "dev")])
    ids = table["mention_id"].unique(maintain_order=True)
    groups = {"split": ["test"] * len(ids), "mention_id": ids} | dict(slices or {})
    with new_artifact(folder / "evaluation", "evaluation", {}) as draft:
        table.write_parquet(draft / "predictions.parquet")
        pl.DataFrame(groups).write_parquet(draft / "slices.parquet")
        (draft / "protocol.json").write_text(json.dumps(CARD | card))
    return folder
