"""Re-scoring by images: how alike a post and an entity are, what is fitted, and what becomes of a beam."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.confidence.entity_images import EntityImages
from gemel.core.schema import Candidate
from gemel.core.settings import Rescoring
from gemel.retrieval.encoder import Vectors
from gemel.tasks.linking.rescoring import Beam, fit_rescoring, rescored

NAN = float("nan")
SOLVED = pl.DataFrame(
    {"entity_id": ["Q1", "Q1", "Q2", "Q2", "Q4"], "image_sha256": ["a", "b", "c", "d", None]},
)
VECTORS: dict[str, Vectors] = {
    name: np.array(values, dtype=np.float32)
    for name, values in {"a": [9, 1, 0], "b": [9, -1, 0], "c": [5, 0, 4], "d": [5, 0, 4]}.items()
}


def candidates(*scores: float) -> tuple[Candidate, ...]:
    return tuple(Candidate(f"Q{rank}", f"name {rank}", score, 0.0) for rank, score in enumerate(scores, 1))


def test_likeness_is_the_cosine_with_the_mean_image_less_the_mean_of_all() -> None:
    images = EntityImages(SOLVED, VECTORS)
    # The mean of all is (7, 0, 2): Q1 lies at (2, 0, −2) from it, Q2 at (−2, 0, 2).
    likeness = images.likeness(["Q1", "Q2"], np.array([8, 0, 1], dtype=np.float32))
    np.testing.assert_allclose(likeness, [1, -1])


def test_entity_without_a_training_image_has_no_likeness() -> None:
    likeness = EntityImages(SOLVED, VECTORS).likeness(["Q3", "Q1", "Q4"], VECTORS["a"])
    assert np.isnan(likeness).tolist() == [True, False, True]


def test_post_without_an_image_is_like_nothing() -> None:
    assert np.isnan(EntityImages(SOLVED, VECTORS).likeness(["Q1", "Q2"], None)).all()


def test_corpus_without_images_gives_no_likeness() -> None:
    images = EntityImages(SOLVED.filter(pl.col("image_sha256").is_null()), {})
    assert np.isnan(images.likeness(["Q1", "Q4"], VECTORS["a"])).all()


def test_candidate_gains_where_it_is_more_like_the_image_than_the_level() -> None:
    found = rescored(candidates(-1.0, -1.2, -1.3), np.array([0.1, 0.9, NAN]), Rescoring(slope=2.0, level=0.5))
    assert [each.entity_id for each in found] == ["Q2", "Q3", "Q1"]
    np.testing.assert_allclose([each.score for each in found], [-0.4, -1.3, -1.8])


def test_what_no_training_image_shows_passes_what_does_not_fit() -> None:
    found = rescored(candidates(-1.0, -1.5), np.array([-0.5, NAN]), Rescoring(slope=1.0, level=0.5))
    assert [each.entity_id for each in found] == ["Q2", "Q1"]
    assert found[0].score == -1.5


@given(st.lists(st.tuples(st.floats(-9, 0), st.floats(-1, 1)), min_size=1, max_size=6))
def test_scores_descend_and_probabilities_are_shares(beam: list[tuple[float, float]]) -> None:
    scores, likeness = zip(*beam, strict=True)
    found = rescored(candidates(*scores), np.array(likeness), Rescoring(slope=3.0, level=0.4))
    assert sorted(each.entity_id for each in found) == sorted(each.entity_id for each in candidates(*scores))
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert sum(each.probability for each in found) == pytest.approx(1)


def test_without_any_likeness_a_beam_stays_as_it_is() -> None:
    found = rescored(candidates(-1.0, -2.0), np.array([NAN, NAN]), Rescoring(slope=3.0, level=0.4))
    assert [(each.entity_id, each.score) for each in found] == [("Q1", -1.0), ("Q2", -2.0)]


def made_up_beams(weights: tuple[float, float, float], count: int = 4_000) -> list[Beam]:
    """Beams of three whose gold entities are drawn from a conditional logit of these weights."""
    rng = np.random.default_rng(0)
    beams = []
    for _ in range(count):
        scores, likeness = rng.normal(size=3), rng.uniform(-1, 1, 3)
        known = rng.random(3) < 0.7
        values = weights[0] * scores + known * (weights[1] * likeness + weights[2])
        gold = int(np.argmax(values + rng.gumbel(size=3)))
        beams.append(Beam(scores, np.where(known, likeness, NAN), gold + 1))
    return beams


def test_fit_finds_the_weights_that_made_the_answers() -> None:
    found = fit_rescoring(made_up_beams((1.0, 2.0, -1.0)))
    assert found is not None
    assert (found.slope, found.level) == (pytest.approx(2.0, abs=0.2), pytest.approx(0.5, abs=0.1))


def test_images_that_speak_against_their_entity_are_not_used() -> None:
    assert fit_rescoring(made_up_beams((1.0, -2.0, 0.0))) is None


def test_nothing_is_fitted_where_nothing_is_told() -> None:
    without_gold = Beam(np.array([-1.0, -2.0]), np.array([0.5, 0.1]), 0)
    without_images = Beam(np.array([-1.0, -2.0]), np.array([NAN, NAN]), 1)
    assert fit_rescoring([without_gold, without_images]) is None
    assert fit_rescoring([]) is None
