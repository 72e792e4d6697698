"""How like an image is to those of an entity."""

import numpy as np
import polars as pl
import pytest

from gemel.confidence.entity_images import EntityImages

VECTORS = {
    "east": np.array([1.0, 0.0], dtype=np.float32),
    "west": np.array([-1.0, 0.0], dtype=np.float32),
    "north": np.array([0.0, 1.0], dtype=np.float32),
    "south": np.array([0.0, -1.0], dtype=np.float32),
}
SOLVED = [("Q1", "east"), ("Q1", "north"), ("Q2", "west"), ("Q3", "south"), ("Q3", None), ("Q4", None)]


def images(vectors: dict[str, np.ndarray] = VECTORS) -> EntityImages:
    return EntityImages(pl.DataFrame(SOLVED, schema=["entity_id", "image_sha256"], orient="row"), vectors)


def test_likeness_is_the_cosine_to_the_mean_image() -> None:
    found = images().likeness(["Q1", "Q2", "Q3"], np.array([3.0, 0.0], dtype=np.float32))
    assert found == pytest.approx([np.sqrt(0.5), -1.0, 0.0])


def test_entity_without_an_image_has_no_likeness() -> None:
    found = images().likeness(["Q4", "Q9", "Q2"], np.array([1.0, 0.0], dtype=np.float32))
    assert np.isnan(found).tolist() == [True, True, False]


def test_without_an_image_nothing_is_alike() -> None:
    assert np.isnan(images().likeness(["Q1", "Q2"], None)).all()


def test_images_are_seen_from_the_mean_of_all() -> None:
    apart = {name: vector + np.array([5.0, 5.0], dtype=np.float32) for name, vector in VECTORS.items()}
    assert images(apart).likeness(["Q2"], np.array([8.0, 5.0], dtype=np.float32)) == pytest.approx([-1.0])


def test_no_images_at_all() -> None:
    nothing = EntityImages(pl.DataFrame({"entity_id": ["Q1"], "image_sha256": [None]}), {})
    assert np.isnan(nothing.likeness(["Q1", "Q2"], np.zeros(2, dtype=np.float32))).all()


def test_image_at_the_mean_of_all_is_like_nothing() -> None:
    assert images().likeness(["Q1"], np.zeros(2, dtype=np.float32)) == pytest.approx([0.0])
