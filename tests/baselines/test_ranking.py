"""Entities of equal score: the better known first, then by id."""

import numpy as np
from small_catalog import ENTITIES, ids

from gemel.baselines.ranking import Ranking


def test_higher_scores_come_first() -> None:
    assert ids(Ranking(ENTITIES, 10).best(np.array([0, 1, 2]), np.array([0.1, 0.2, 0.3]))) == ["Q3", "Q2", "Q1"]


def test_ties_go_by_popularity_then_by_id() -> None:
    assert ids(Ranking(ENTITIES, 10).best(np.arange(4), np.zeros(4))) == ["Q2", "Q0", "Q1", "Q3"]


def test_entity_counts_with_its_best_score() -> None:
    answer = Ranking(ENTITIES, 10).best(np.array([0, 1, 0]), np.array([0.1, 0.2, 0.3]))
    assert [(each.entity_id, each.score) for each in answer.candidates] == [("Q1", 0.3), ("Q2", 0.2)]


def test_answer_has_so_many_entities_at_most() -> None:
    assert ids(Ranking(ENTITIES, 1).best(np.arange(4), np.arange(4.0))) == ["Q0"]


def test_best_of_all_sees_every_entity_that_ties_with_the_last() -> None:
    assert ids(Ranking(ENTITIES, 2).best_of_all(np.array([0.5, 0.5, 0.9, 0.5]))) == ["Q3", "Q2"]


def test_best_of_all_of_a_catalog_smaller_than_the_answer() -> None:
    assert ids(Ranking(ENTITIES, 10).best_of_all(np.array([0.4, 0.3, 0.2, 0.1]))) == ["Q1", "Q2", "Q3", "Q0"]


def test_no_entities_give_no_answer() -> None:
    assert ids(Ranking(ENTITIES, 2).best(np.zeros(0, dtype=np.int64), np.zeros(0))) == []
