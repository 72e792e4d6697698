"""A catalog of four entities, and mentions to grade."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from gemel.answerer import Answer
from gemel.core.entity_columns import ENTITIES_SCHEMA
from gemel.evaluation.grading import Graded
from gemel.posts.columns import NAMES_SCHEMA

# id, generated name, label, description, type, popularity
ROWS = (
    ("Q1", "Jaguar (animal)", "Jaguar", "large cat", "animal", 3.0),
    ("Q2", "Jaguar (car)", "Jaguar", "maker of cars", "car", 5.0),
    ("Q3", "Amazon River", "Amazon River", "", "river", 1.0),
    ("Q0", "Jaguar (film)", "Jaguar", "a film", "", 3.0),
)
ENTITIES = pl.DataFrame([(*row[:5], [], row[5]) for row in ROWS], schema=ENTITIES_SCHEMA, orient="row")
NAMES = pl.DataFrame(
    [
        *((row[0], row[1], None, "generated") for row in ROWS),
        *((row[0], row[2], None, "label") for row in ROWS),
        ("Q3", "Amazon", None, "alias"),
    ],
    schema=NAMES_SCHEMA,
    orient="row",
)


def asked(*mentions: str, images: Sequence[str | None] | None = None, text: str = "a text") -> Graded:
    """Mentions of Q1."""
    table = pl.DataFrame(
        {
            "mention_id": [f"m{number}" for number in range(len(mentions))],
            "mention": mentions,
            "start": [None] * len(mentions),
            "text": [text] * len(mentions),
            "entity_id": ["Q1"] * len(mentions),
            "image_sha256": images or [None] * len(mentions),
            "caption": [None] * len(mentions),
        },
        schema_overrides={"image_sha256": pl.String, "caption": pl.String, "start": pl.Int64},
    )
    return Graded(table, np.zeros(len(mentions), dtype=np.int64), 0, 0)


def ids(answer: Answer) -> list[str]:
    return [candidate.entity_id for candidate in answer.candidates]
