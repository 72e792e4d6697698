"""The choice of demonstrations, compared with a naive reference."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.retrieval.bm25 import Bm25Scorer
from gemel.retrieval.choice import Chooser, Corpus, rank
from gemel.retrieval.encoder import Vectors
from gemel.retrieval.hits import Hits
from gemel.retrieval.images import ImageRanker


class FixedScorer:
    """The same scores for every query; keeps the queries that it is asked."""

    def __init__(self, scores: list[float]) -> None:
        self._scores = np.array(scores, dtype=np.float32)
        self.asked: list[str] = []

    def best(self, queries: Sequence[str], count: int) -> Iterator[Hits]:  # noqa: ARG002
        for query in queries:
            self.asked.append(query)
            yield Hits(np.arange(len(self._scores)), self._scores)


def make_corpus(entities: list[str], mentions: list[str] | None = None) -> Corpus:
    size = len(entities)
    return Corpus(mentions or ["Jaguar"] * size, [f"text {row}" for row in range(size)], entities)


def choose(scores: list[float], entities: list[str], count: int, text: str = "another") -> tuple[int, ...]:
    return Chooser(make_corpus(entities), FixedScorer(scores), count).choose("Jaguar", text)


def reference_rank(scores: list[float], entities: list[str]) -> list[int]:
    """Sort by score; among equals, the k-th row of each entity goes before the next of any, in corpus order."""
    shown: dict[tuple[float, str], int] = {}
    keys = []
    for row, (score, entity) in enumerate(zip(scores, entities, strict=True)):
        turn = shown.get((score, entity), 0)
        shown[score, entity] = turn + 1
        keys.append((-score, turn, row))
    return [row for _, _, row in sorted(keys)]


def test_most_relevant_comes_first() -> None:
    assert choose([0.1, 0.9, 0.5], ["a", "b", "c"], 2) == (1, 2)


def test_among_equals_an_entity_that_was_not_shown_goes_first() -> None:
    assert choose([1, 1, 1, 1], ["a", "a", "b", "a"], 4) == (0, 2, 1, 3)


def test_among_equals_corpus_order_decides_last() -> None:
    assert choose([1, 1, 1], ["c", "b", "a"], 3) == (0, 1, 2)


def test_entity_shown_with_a_higher_score_still_goes_first_among_equals() -> None:
    assert choose([2, 1, 1], ["a", "a", "b"], 3) == (0, 1, 2)


def test_same_mention_in_the_same_text_is_left_out() -> None:
    assert choose([3, 2, 1], ["a", "b", "c"], 2, text="text 0") == (1, 2)


def test_same_mention_in_another_text_stays() -> None:
    assert choose([3, 2, 1], ["a", "b", "c"], 2, text="text 9") == (0, 1)


def test_other_mention_in_the_same_text_stays() -> None:
    corpus = make_corpus(["a", "b"], ["Jaguar", "Mercury"])
    assert Chooser(corpus, FixedScorer([1, 2]), 2).choose("Jaguar", "text 1") == (1, 0)


def test_small_corpus_gives_all_it_has() -> None:
    assert choose([1, 2], ["a", "b"], 16) == (1, 0)


def test_count_of_zero_gives_none() -> None:
    assert choose([1, 2], ["a", "b"], 0) == ()


def test_empty_corpus_gives_none() -> None:
    assert Chooser(Corpus([], [], []), FixedScorer([]), 3).choose("Jaguar", "text") == ()


def test_many_equal_posts_are_all_left_out() -> None:
    size = 100
    corpus = Corpus(["Jaguar"] * size, ["same"] * 90 + [f"text {row}" for row in range(90, size)], ["a"] * size)
    chooser = Chooser(corpus, FixedScorer([float(size - row) for row in range(size)]), 3)
    assert chooser.choose("Jaguar", "same") == (90, 91, 92)


def test_ranking_of_a_mention_is_remembered() -> None:
    scorer = FixedScorer([1, 2])
    chooser = Chooser(make_corpus(["a", "b"]), scorer, 2)
    assert chooser.choose("Jaguar", "one") == chooser.choose("Jaguar", "two")
    assert scorer.asked == ["Jaguar"]


def test_the_ranking_asked_for_longest_ago_is_forgotten() -> None:
    scorer = FixedScorer([1, 2])
    chooser = Chooser(make_corpus(["a", "b"]), scorer, 2, remembered=2)
    for mention in ["Jaguar", "Mercury", "Jaguar", "Amazon", "Jaguar", "Mercury"]:
        chooser.choose(mention, "text")
    assert scorer.asked == ["Jaguar", "Mercury", "Amazon", "Mercury"]


def test_batch_larger_than_the_memory_is_chosen_whole() -> None:
    scorer = FixedScorer([1, 2])
    chooser = Chooser(make_corpus(["a", "b"]), scorer, 1, remembered=1)
    assert chooser.choose_all(["Jaguar", "Mercury", "Jaguar"], ["text"] * 3) == [(1,), (1,), (1,)]
    assert sorted(scorer.asked) == ["Jaguar", "Mercury"]


def test_batch_of_none_gives_none() -> None:
    assert Chooser(make_corpus(["a"]), FixedScorer([1]), 1).choose_all([], []) == []


def test_corpus_of_one_row_without_it_gives_none() -> None:
    assert choose([1], ["a"], 2, text="text 0") == ()


def test_count_larger_than_the_corpus_leaves_the_same_post_out() -> None:
    assert choose([3, 2, 1], ["a", "b", "c"], 16, text="text 1") == (0, 2)


WORDS = st.lists(st.sampled_from(["Ada", "Boris", "Clara", "ada", "River"]), max_size=3).map(" ".join)
POSTS = st.lists(st.tuples(WORDS, st.sampled_from(["s", "t"]), st.sampled_from("abc")), min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(posts=POSTS, count=st.integers(0, 12))
def test_batch_and_single_choice_are_equal(posts: list[tuple[str, str, str]], count: int) -> None:
    mentions, texts, entities = (list(column) for column in zip(*posts, strict=True))
    corpus = Corpus(mentions, texts, entities)
    asked, asked_in = [*mentions, "Ada", "unknown"], [*texts, "another", "t"]
    together = Chooser(corpus, Bm25Scorer(mentions), count).choose_all(asked, asked_in)
    pairs = zip(asked, asked_in, strict=True)
    assert together == [Chooser(corpus, Bm25Scorer(mentions), count).choose(*pair) for pair in pairs]


@settings(max_examples=100, deadline=None)
@given(posts=POSTS, count=st.integers(1, 12))
def test_choice_by_bm25_equals_the_reference(posts: list[tuple[str, str, str]], count: int) -> None:
    mentions, texts, entities = (list(column) for column in zip(*posts, strict=True))
    scorer = Bm25Scorer(mentions)
    chosen = Chooser(Corpus(mentions, texts, entities), scorer, count).choose_all(mentions, texts)
    for mention, text, rows in zip(mentions, texts, chosen, strict=True):
        (every,) = scorer.best([mention], len(mentions))
        order = reference_rank(every.scores.tolist(), entities)
        assert list(rows) == [row for row in order if (mentions[row], texts[row]) != (mention, text)][:count]


ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.sampled_from("abcd"), st.sampled_from(["s", "t", "u"])),
    min_size=1,
    max_size=150,
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, count=st.integers(0, 20))
def test_choice_equals_the_reference(rows: list[tuple[float, str, str]], count: int) -> None:
    scores, entities, texts = (list(column) for column in zip(*rows, strict=True))
    chooser = Chooser(Corpus(["Jaguar"] * len(rows), texts, entities), FixedScorer(scores), count)
    wanted = [row for row in reference_rank(scores, entities) if texts[row] != "s"][:count]
    assert list(chooser.choose("Jaguar", "s")) == wanted


@pytest.mark.parametrize("seed", range(3))
def test_rank_of_a_few_equals_the_head_of_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, 60).astype(np.float32)
    entities: npt.NDArray[np.int64] = rng.integers(0, 8, 60)
    whole = rank(scores, entities, 60)
    for count in range(1, 60):
        np.testing.assert_array_equal(rank(scores, entities, count), whole[:count])


def test_rank_of_many_ties_of_one_entity_equals_the_head_of_the_whole() -> None:
    scores = np.array([1] * 5 + [0] * 500, dtype=np.float32)
    entities: npt.NDArray[np.int64] = np.array([0] * 400 + [1, 2] * 50 + [3] * 5)
    whole = rank(scores, entities, 505)
    for count in range(1, 30):
        np.testing.assert_array_equal(rank(scores, entities, count), whole[:count])


def choose_by(scores: list[float], entities: list[str], count: int, **settings: Any) -> tuple[int, ...]:
    return Chooser(make_corpus(entities), FixedScorer(scores), count, **settings).choose("Jaguar", "another")


def test_without_diversity_corpus_order_decides_among_equals() -> None:
    assert choose_by([1, 1, 1, 1], ["a", "a", "b", "a"], 3, diversity="none") == (0, 1, 2)


def test_one_each_shows_an_entity_with_its_best_row_alone() -> None:
    assert choose_by([1, 3, 2, 0], ["a", "a", "b", "c"], 3, diversity="one_each") == (1, 2, 3)


def test_one_each_looks_beyond_many_rows_of_one_entity() -> None:
    entities = ["a"] * 40 + ["b", "c"]
    assert choose_by([float(-row) for row in range(42)], entities, 3, diversity="one_each") == (0, 40, 41)


def test_one_each_gives_fewer_where_there_are_fewer_entities() -> None:
    assert choose_by([3, 2, 1], ["a", "a", "a"], 2, diversity="one_each") == (0,)


def test_mention_and_text_are_compared_together() -> None:
    scorer = FixedScorer([1, 2])
    corpus = make_corpus(["a", "b"])
    assert corpus.strings("mention_and_text") == ["Jaguar text 0", "Jaguar text 1"]
    chooser = Chooser(corpus, scorer, 2, by="mention_and_text")
    assert chooser.choose_all(["Jaguar", "Jaguar"], ["text 0", "new"]) == [(1,), (1, 0)]
    assert sorted(scorer.asked) == ["Jaguar new", "Jaguar text 0"]


def unit(*values: float) -> Vectors:
    return np.array(values, dtype=np.float32)


def test_images_rank_the_best_by_text_once_more() -> None:
    images = ImageRanker([unit(1, 0), unit(0, 1), None], weight=0.5)
    chooser = Chooser(make_corpus(["a", "b", "c"]), FixedScorer([1, 1, 1]), 2, images=images)
    assert chooser.choose_all(["Jaguar"] * 3, ["x"] * 3, [unit(0, 1), None, unit(1, 0)]) == [(1, 2), (0, 1), (0, 2)]


def test_text_outweighs_images_where_it_differs_more() -> None:
    images = ImageRanker([unit(1, 0), unit(0, 1)], weight=0.1)
    chooser = Chooser(make_corpus(["a", "b"]), FixedScorer([4, 1]), 1, images=images)
    assert chooser.choose("Jaguar", "x", unit(0, 1)) == (0,)


def test_images_do_not_bring_back_what_is_left_out() -> None:
    images = ImageRanker([unit(1, 0), unit(0, 1)], weight=1.0)
    chooser = Chooser(make_corpus(["a", "b"]), FixedScorer([1, 1]), 2, images=images)
    assert chooser.choose("Jaguar", "text 1", unit(0, 1)) == (0,)


def test_corpus_without_any_image_keeps_the_order_by_text() -> None:
    chooser = Chooser(make_corpus(["a", "b"]), FixedScorer([1, 2]), 2, images=ImageRanker([None, None], weight=1.0))
    assert chooser.choose("Jaguar", "x", unit(0, 1)) == (1, 0)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, weight=st.sampled_from([0.3, 1.0]), seed=st.integers(0, 9))
def test_ranking_by_images_equals_the_formula(rows: list[tuple[float, str, str]], weight: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = [None if entity == "a" else rng.standard_normal(4).astype(np.float32) for _, entity, _ in rows]
    known = [vector for vector in vectors if vector is not None]
    mean = np.mean(known, axis=0) if known else np.zeros(4)
    query = rng.standard_normal(4).astype(np.float32)
    scores = np.array([score for score, _, _ in rows], dtype=np.float32)

    def mixed(row: int) -> float:
        vector, best = vectors[row], scores.max()
        by_text = scores[row] / best if best > 0 else 0.0
        if vector is None:
            return float((1 - weight) * by_text)
        a, b = vector - mean, query - mean
        likeness = a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) if np.linalg.norm(a) > 0 else 0.0
        return float((1 - weight) * by_text + weight * likeness)

    found = ImageRanker(vectors, weight).rank(np.arange(len(rows)), scores, query)
    values = [mixed(row) for row in found]
    assert sorted(found) == list(range(len(rows)))
    if known:
        assert all(before >= after - 1e-4 for before, after in pairwise(values))
