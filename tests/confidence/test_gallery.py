"""How like an image is to an entity's pictures."""

import numpy as np
import pytest

from gemel.confidence.gallery import Gallery

VECTORS = {
    "east": np.array([1.0, 0.0], dtype=np.float32),
    "west": np.array([-1.0, 0.0], dtype=np.float32),
    "north": np.array([0.0, 1.0], dtype=np.float32),
    "south": np.array([0.0, -1.0], dtype=np.float32),
}
# The mean of all four is the origin.
SHOWN = [("Q1", "east"), ("Q1", "north"), ("Q2", "west"), ("Q3", "south"), ("Q3", None), ("Q4", None)]


def test_likeness_is_the_mean_cosine_to_the_pictures() -> None:
    found = Gallery(VECTORS, SHOWN).likeness(np.array([3.0, 0.0], dtype=np.float32), ["Q1", "Q2", "Q3"])
    assert found == pytest.approx([0.5, -1.0, 0.0])


def test_entity_without_a_picture_has_no_likeness() -> None:
    found = Gallery(VECTORS, SHOWN).likeness(np.array([1.0, 0.0], dtype=np.float32), ["Q4", "Q9", "Q2"])
    assert found == [None, None, pytest.approx(-1.0)]


def test_directions_are_seen_from_the_mean_of_all_pictures() -> None:
    apart = {name: vector + np.array([5.0, 5.0], dtype=np.float32) for name, vector in VECTORS.items()}
    found = Gallery(apart, SHOWN).likeness(np.array([8.0, 5.0], dtype=np.float32), ["Q2"])
    assert found == pytest.approx([-1.0])


def test_gallery_without_pictures() -> None:
    assert Gallery({}, [("Q1", None)]).likeness(np.zeros(2, dtype=np.float32), ["Q1", "Q2"]) == [None, None]


def test_image_at_the_mean_of_all_is_like_nothing() -> None:
    assert Gallery(VECTORS, SHOWN).likeness(np.zeros(2, dtype=np.float32), ["Q1"]) == [0.0]
