"""The bi-encoder: what it reads of a mention and of an entity, and whom it finds."""

import numpy as np
from small_catalog import ENTITIES, asked, ids

from gemel.baselines.dense import DenseEntities
from gemel.retrieval.encoder import Vectors

READ: list[str] = []


def embed(texts: list[str]) -> Vectors:
    """Which of three words a text has, as a unit vector."""
    READ.extend(texts)
    counts = np.array([[word in text for word in ("cat", "car", "River")] for text in texts], dtype=np.float32)
    return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)


def test_mention_and_text_find_name_and_description() -> None:
    (answer,) = DenseEntities(ENTITIES, embed, 1).answer(asked("Jaguar", text="a cat in the woods"))
    assert ids(answer) == ["Q1"]


def test_texts_are_those_of_the_docstring() -> None:
    READ.clear()
    DenseEntities(ENTITIES, embed, 2).answer(asked("Amazon", text="a boat"))
    assert {"Jaguar (animal): large cat", "Amazon River", "Amazon: a boat"} <= set(READ)


def test_ties_go_by_popularity_then_by_id() -> None:
    (answer,) = DenseEntities(ENTITIES, embed, 4).answer(asked("Jaguar", text="nothing"))
    assert ids(answer) == ["Q2", "Q0", "Q1", "Q3"]


def test_answer_may_be_longer_than_the_catalog() -> None:
    (answer,) = DenseEntities(ENTITIES, embed, 10).answer(asked("Jaguar"))
    assert len(answer.candidates) == ENTITIES.height
