"""A service and its training data, made by hand: 400 posts, and as many answers on a day as a test wants."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gemel.confidence.calibrator import Calibrator
from gemel.confidence.evidence import EVIDENCE
from gemel.core.artifacts import new_artifact
from gemel.core.schema import Entity
from gemel.monitoring.period import Period, days_between
from gemel.monitoring.records import COLUMNS
from gemel.posts.columns import MENTIONS_SCHEMA, POSTS_SCHEMA, REJECTED_SCHEMA
from gemel.posts.dataset import RawDataset
from gemel.posts.tables import build_tables

MONDAY = date(2026, 11, 9)
WEEK: Period = days_between(MONDAY, MONDAY + timedelta(days=7))
NOW = datetime(2026, 11, 20, tzinfo=UTC)
WIDTH, POSTS, SURE_ABOVE = 8, 400, 0.5
STRINGS = ("Jaguar", "Mercury", "Amazon", "Crane")
CAR = Entity("Q1", "Jaguar Cars", "Jaguar", "a maker of cars", "car maker")


def answers(count: int, *, seed: int = 0, day: date = MONDAY, **given: Any) -> pl.DataFrame:
    """Rows of the records, no two alike, from the distributions of the training data. given: columns to replace."""
    rng = np.random.default_rng(seed)
    imageless = rng.random(count) < 0.1
    chances = np.round(rng.random(count), 6)
    vectors = rng.normal(size=(count, WIDTH)).astype(np.float16)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    columns: dict[str, Any] = {
        "time": [noon + timedelta(milliseconds=place) for place in range(count)],
        "request_id": [f"r{place}" for place in range(count)],
        "release": ["abc"] * count,
        "text_length": rng.integers(20, 60, count),
        "text": [f"text {seed} {place}" for place in range(count)],
        "mention": rng.choice(STRINGS, count),
        "image": np.where(imageless, "none", "read"),
        "image_vector": [None if no else vector.tolist() for no, vector in zip(imageless, vectors, strict=True)],
        "entity_id": ["Q1"] * count,
        "score": -rng.random(count),
        "probability": chances,
        "nil": chances < 0.1,
        "nil_probability": 1 - chances,
        "sure": chances >= SURE_ABOVE,
    }
    return pl.DataFrame(columns | given, schema=dict(COLUMNS))


def record(folder: Path, rows: pl.DataFrame, name: str = "part-1.parquet") -> Path:
    """Write rows where the service would write those of their first day."""
    path = folder / f"{rows['time'][0]:%Y-%m-%d}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
    return path


def feedback_line(entity: str | None, answered: str | None, **more: Any) -> str:
    """A line of the feedback, of the first day at noon."""
    mentions = [{"id": "c1", "mention": "Jaguar", "start": 4, "end": 10, "entity": entity}]
    row = {
        "id": "c1",
        "text": "The Jaguar",
        "image": None,
        "split": "train",
        "mentions": mentions,
        "answered": answered,
    }
    return json.dumps(row | {"time": f"{MONDAY}T12:00:00+00:00", "release": "abc"} | more)


def write_artifacts(folder: Path, seed: int = 1) -> Path:
    """What `dvc repro` leaves of the data, as far as the monitoring reads it. Half of the posts are test's."""
    rng = np.random.default_rng(seed)
    strings = rng.choice(STRINGS, POSTS)
    keys = [None if chance < 0.1 else f"{place:064x}" for place, chance in enumerate(rng.random(POSTS))]
    splits = np.where(np.arange(POSTS) % 2, "test", "train")
    with new_artifact(folder / "posts", "posts", {"dataset": "made"}) as draft:
        _tables(strings, keys, splits, rng).write(draft)
    images = sorted(filter(None, keys))
    with new_artifact(folder / "image_features", "image_features", {}) as draft:
        np.save(draft / "shard-00000.npy", rng.normal(size=(len(images), WIDTH)).astype(np.float32))
        place = pl.int_range(len(images), dtype=pl.Int32, eager=True)
        pl.DataFrame({"sha256": images, "shard": place * 0, "row": place}).write_parquet(draft / "index.parquet")
    with new_artifact(folder / "confidence", "confidence", {}) as draft:
        none = (0.0,) * len(EVIDENCE)
        Calibrator(EVIDENCE, none, none, (none,) * 3, (0.0, 0.0, 0.0), 0.9, SURE_ABOVE).write(draft)
    with new_artifact(folder / "evaluation", "evaluation", {}) as draft:
        _judged(rng).write_parquet(draft / "judged.parquet")
        (draft / "metrics.json").write_text(json.dumps({"mapper": {"best_seed": 1}}))
    return folder


def _tables(strings: Any, keys: Any, splits: Any, rng: np.random.Generator) -> Any:
    posts = [
        {"post_id": f"p{place}", "text": "x" * int(rng.integers(20, 60)), "image_sha256": key, "split": split}
        for place, (key, split) in enumerate(zip(keys, splits, strict=True))
    ]
    mentions = [
        {"mention_id": f"m{place}", "post_id": f"p{place}", "mention": string, "entity_id": "Q1", "split": split}
        for place, (string, split) in enumerate(zip(strings, splits, strict=True))
    ]
    rows = RawDataset(
        name="made",
        posts=pl.DataFrame(posts, schema=POSTS_SCHEMA),
        mentions=pl.DataFrame(mentions, schema=MENTIONS_SCHEMA),
        entities=(CAR,),
        rejected=pl.DataFrame(schema=REJECTED_SCHEMA),
        rows_in={},
    )
    return build_tables(rows, (CAR,))


def _judged(rng: np.random.Generator) -> pl.DataFrame:
    """Of two mappers; only the second is the best."""
    count = POSTS // 2
    chances = rng.random(count)
    best = pl.DataFrame({"chance_right": chances, "nil": chances < 0.1})
    outcome = pl.Series("outcome", np.where(chances < 0.1, "nil", np.where(chances < 0.3, "wrong", "right")))
    run = best.with_columns(outcome, split=pl.lit("test"), seed=pl.lit(1, pl.Int32))
    return pl.concat([run.with_columns(chance_right=pl.lit(0.0), seed=pl.lit(0, pl.Int32)), run])
