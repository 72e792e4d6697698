"""BM25 in batches, compared with rank_bm25's own loop."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from gemel.retrieval import bm25
from gemel.retrieval.bm25 import Bm25Scorer
from gemel.retrieval.hits import Scores

CORPUS = ["Jaguar", "the Jaguar XJ", "Mercury", "Amazon river", "jaguar", "Jaguar", "Zürich"]
# In the first corpora every word is in more than half of the strings, so that its weight has the floor, or is negative.
STRINGS = st.lists(st.sampled_from(["a", "A", "b", "c", "ß", "unknown"]), max_size=5).map(" ".join)
CORPORA = st.lists(st.lists(st.sampled_from("aabcdß"), max_size=4).map(" ".join), min_size=1, max_size=12)


def theirs(corpus: list[str], query: str) -> Scores:
    index = BM25Okapi([text.casefold().split() for text in corpus])
    scores: Scores = index.get_scores(query.casefold().split()).astype(np.float32)
    return scores


def ours(corpus: list[str], query: str) -> Scores:
    (hits,) = Bm25Scorer(corpus).best([query], len(corpus))
    scores = np.full(len(corpus), np.nan, dtype=np.float32)
    scores[hits.rows] = hits.scores
    return scores


@pytest.mark.parametrize("query", ["Jaguar", "JAGUAR xj", "ZÜRICH", "nothing alike", "", "river the river XJ"])
def test_scores_equal_those_of_rank_bm25_over_folded_words(query: str) -> None:
    np.testing.assert_array_equal(ours(CORPUS, query), theirs(CORPUS, query))


@settings(max_examples=300, deadline=None)
@given(corpus=CORPORA.filter(lambda corpus: any(text.split() for text in corpus)), query=STRINGS)
@example(corpus=["a", "a b", "a c"], query="a b a")
@example(corpus=["a b", "a b", "a"], query="b a unknown")
def test_scores_equal_those_of_rank_bm25_to_the_last_bit(corpus: list[str], query: str) -> None:
    np.testing.assert_array_equal(ours(corpus, query), theirs(corpus, query))


def test_negative_weights_rank_below_strings_without_the_word() -> None:
    scores = ours(["a", "a", "a", "b a"], "a")
    assert theirs(["a", "a", "a", "b a"], "a")[0] < 0
    np.testing.assert_array_equal(scores, theirs(["a", "a", "a", "b a"], "a"))


@settings(max_examples=100, deadline=None)
@given(corpus=CORPORA, queries=st.lists(STRINGS, max_size=6), count=st.integers(1, 15))
def test_hits_are_all_rows_that_score_at_least_as_the_last_one_asked_for(
    corpus: list[str], queries: list[str], count: int
) -> None:
    scorer = Bm25Scorer(corpus)
    for query, hits in zip(queries, scorer.best(queries, count), strict=True):
        (every,) = scorer.best([query], len(corpus))
        threshold = np.sort(every.scores)[-min(count, len(corpus))]
        assert set(np.flatnonzero(every.scores >= threshold)) <= set(hits.rows.tolist())
        np.testing.assert_array_equal(hits.scores, every.scores[hits.rows])


def test_batches_of_one_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = ["Jaguar", "river", "", "the Amazon"]
    at_once = list(Bm25Scorer(CORPUS).best(queries, 3))
    monkeypatch.setattr(bm25, "SCORES_AT_ONCE", 1)
    for hits, alone in zip(at_once, Bm25Scorer(CORPUS).best(queries, 3), strict=True):
        np.testing.assert_array_equal(hits.rows, alone.rows)
        np.testing.assert_array_equal(hits.scores, alone.scores)


def test_equal_strings_but_for_case_score_alike() -> None:
    scores = ours(CORPUS, "jaguar")
    assert scores[0] == scores[4] == scores[5]


def test_corpus_without_words_scores_zero() -> None:
    np.testing.assert_array_equal(ours(["", " "], "a"), [0, 0])


def test_corpus_of_one_row_gives_it() -> None:
    (hits,) = Bm25Scorer(["Jaguar"]).best(["Jaguar"], 3)
    np.testing.assert_array_equal(hits.rows, [0])


def test_empty_corpus_gives_nothing() -> None:
    (hits,) = Bm25Scorer([]).best(["Jaguar"], 3)
    assert len(hits.rows) == len(hits.scores) == 0
