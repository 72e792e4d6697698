"""Scores by chance, and the method's name that leads to a scorer."""

import numpy as np
import pytest

from gemel.retrieval.bm25 import Bm25Scorer
from gemel.retrieval.hits import Scores
from gemel.retrieval.scorers import RandomScorer, make_scorer

CORPUS = ["Jaguar", "the Jaguar XJ", "Mercury", "Jaguar"]


def random_scores(query: str, seed: int = 3) -> Scores:
    return next(RandomScorer(CORPUS, seed).best([query], 1)).scores


def test_random_scores_are_repeatable_for_a_query() -> None:
    _, second = RandomScorer(CORPUS, 3).best(["something before", "Jaguar"], 1)
    np.testing.assert_array_equal(random_scores("Jaguar"), second.scores)


def test_random_scores_differ_between_rows_of_one_string() -> None:
    scores = random_scores("Jaguar")
    assert scores[0] != scores[3]


def test_random_scores_differ_between_queries() -> None:
    assert not np.array_equal(random_scores("Jaguar"), random_scores("Mercury"))


def test_random_scores_differ_between_seeds() -> None:
    assert not np.array_equal(random_scores("Jaguar"), random_scores("Jaguar", seed=4))


@pytest.mark.parametrize(("method", "kind"), [("random", RandomScorer), ("bm25", Bm25Scorer)])
def test_method_names_its_scorer(method: str, kind: type) -> None:
    scorer = make_scorer(method, CORPUS, seed=0, encoder="")
    assert isinstance(scorer, kind)
    (hits,) = scorer.best(["Jaguar"], len(CORPUS))
    assert hits.scores.dtype == np.float32
    np.testing.assert_array_equal(hits.rows, np.arange(len(CORPUS)))
