"""The case study takes the first mentions of each kind that have an image."""

from pathlib import Path

import polars as pl
from made_up_runs import write_run

from gemel.core.entity_columns import ENTITIES_SCHEMA
from gemel.evaluation.names import BLIND, FULL
from gemel.experiments.cases import case_rows
from gemel.experiments.results import Result
from gemel.posts.columns import MENTIONS_SCHEMA, NAMES_SCHEMA, POSTS_SCHEMA, REJECTED_SCHEMA
from gemel.posts.tables import Tables

# Place of the gold entity with and without the image, mention by mention; m2 has no image.
WITH, WITHOUT = "1112101111", "2221111222"


def tables() -> Tables:
    numbers = range(len(WITH))
    posts = [
        {"post_id": f"p{n}", "image": f"{n}.png", "image_status": "none" if n == 2 else "read", "split": "test"}
        for n in numbers
    ]
    mentions = [{"mention_id": f"m{n}", "post_id": f"p{n}", "mention": "Jaguar", "text": f"text {n}"} for n in numbers]
    entities = [{"entity_id": "Q1", "name": "Jaguar Cars"}, {"entity_id": "Q2", "name": "Jaguar"}]
    return Tables(
        posts=pl.DataFrame(posts, schema=POSTS_SCHEMA),
        mentions=pl.DataFrame(mentions, schema=MENTIONS_SCHEMA),
        entities=pl.DataFrame(entities, schema=ENTITIES_SCHEMA),
        names=pl.DataFrame(schema=NAMES_SCHEMA),
        rejected=pl.DataFrame(schema=REJECTED_SCHEMA),
    )


def test_cases_are_the_first_of_their_kind(tmp_path: Path) -> None:
    rows = case_rows(Result(write_run(tmp_path, {FULL: [WITH], BLIND: [WITHOUT]})), tables())
    found = [(row["row"], row["mention_id"]) for row in rows]
    assert found == [
        *(("fixed by the image", name) for name in ("m0", "m1", "m7", "m8")),
        *(("broken by the image", name) for name in ("m3", "m5")),
        *(("right with and without", name) for name in ("m4", "m6")),
    ]
    assert (rows[0]["gold"], rows[0]["with_image"], rows[0]["without_image"]) == (
        "Jaguar Cars",
        "Jaguar Cars",
        "Jaguar",
    )
    assert (rows[0]["image"], rows[0]["text"]) == ("0.png", "text 0")
