"""The figures of baselines."""

import pytest
from small_catalog import asked

from gemel.answerer import Answer
from gemel.baselines.ranking import NOTHING, candidate
from gemel.baselines.summary import summarize_baselines
from gemel.evaluation.predictions import prediction_table

SEVENTH = Answer(tuple(candidate(entity_id, entity_id, 0.0) for entity_id in [*"abcdef", "Q1"]))
FIRST = Answer((candidate("Q1", "Jaguar", 1.0),))


@pytest.fixture
def predictions():
    return prediction_table(asked("a", "b", "c", "d"), "test", "prior", 0, [FIRST, SEVENTH, NOTHING, NOTHING])


def test_shares_count_mentions_without_an_answer(predictions) -> None:
    figures = summarize_baselines(predictions, 10)["prior"]
    means = {name: figures[name]["mean"] for name in ("accuracy", "hits_at_5", "hits_at_10")}
    assert means == {"accuracy": 0.25, "hits_at_5": 0.25, "hits_at_10": 0.5}


def test_figures_have_their_parts(predictions) -> None:
    figures = summarize_baselines(predictions, 10)["prior"]
    assert {"mean", "low", "high", "n", "seeds"} <= set(figures["accuracy"])
    assert (figures["accuracy"]["n"], figures["answered"]) == (4, 2)


def test_hits_beyond_an_answers_length_are_not_told(predictions) -> None:
    assert set(summarize_baselines(predictions, 5)["prior"]) == {"accuracy", "hits_at_5", "answered"}
