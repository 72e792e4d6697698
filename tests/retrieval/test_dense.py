"""Search by embeddings, compared with brute force in numpy."""

import importlib.util

import numpy as np
import pytest
import torch

from gemel.retrieval import dense
from gemel.retrieval.dense import DenseScorer
from gemel.retrieval.encoder import MINILM, Vectors, load_embed, load_sentence_encoder
from gemel.retrieval.hits import Hits

CORPUS = ["Jaguar", "the Jaguar XJ", "Mercury", "Amazon river", "jaguar", "Jaguar", "Zürich"]
NEEDS_MINILM = pytest.mark.skipif(
    importlib.util.find_spec(MINILM) is None, reason=f"the package {MINILM} isn't installed"
)


class Table:
    """Unit vectors by string; counts how many it gave. Many strings share a vector, as an uncased encoder's do.

    Every number is +-1/4, so that inner products are exact in any order of summation, and tie often.
    """

    def __init__(self, strings: list[str], vectors: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        found = rng.choice(np.array([-0.25, 0.25], dtype=np.float32), size=(vectors, 16))
        self._of = dict(zip(strings, found[rng.integers(vectors, size=len(strings))], strict=True))
        self.given = 0

    def __call__(self, texts: list[str]) -> Vectors:
        self.given += len(texts)
        return np.stack([self._of[text] for text in texts])


def brute_force(corpus: list[str], query: str, embed: Table, count: int) -> Hits:
    scores = embed(corpus) @ embed([query])[0]
    rows = np.flatnonzero(scores >= np.sort(scores)[-min(count, len(corpus))])
    return Hits(rows, scores[rows])


@pytest.mark.parametrize("vectors", [1, 7, 300])
@pytest.mark.parametrize("count", [1, 4, 50, 1000])
def test_hits_equal_brute_force_with_ties(vectors: int, count: int) -> None:
    strings = [f"string {place}" for place in range(300)]
    embed = Table(strings, vectors)
    corpus = [strings[place] for place in np.random.default_rng(1).integers(200, size=600)]
    for query, hits in zip(strings, DenseScorer(corpus, embed).best(strings, count), strict=True):
        wanted = brute_force(corpus, query, embed, count)
        np.testing.assert_array_equal(hits.rows, wanted.rows)
        np.testing.assert_array_equal(hits.scores, wanted.scores)


def test_batches_of_one_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    strings = [f"string {place}" for place in range(50)]
    scorer = DenseScorer(strings, Table(strings, 20))
    at_once = list(scorer.best(strings, 3))
    monkeypatch.setattr(dense, "QUERIES_AT_ONCE", 1)
    for hits, alone in zip(at_once, scorer.best(strings, 3), strict=True):
        np.testing.assert_array_equal(hits.rows, alone.rows)


def test_corpus_embedded_in_parts_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    strings = [f"string {place}" for place in range(50)]
    whole = DenseScorer(strings, Table(strings, 20)).best(["string 3"], 5)
    monkeypatch.setattr(dense, "STRINGS_AT_ONCE", 7)
    in_parts = DenseScorer(strings, Table(strings, 20)).best(["string 3"], 5)
    np.testing.assert_array_equal(next(whole).rows, next(in_parts).rows)


def test_a_string_of_many_rows_is_embedded_once() -> None:
    embed = Table(["Jaguar", "Mercury"], 2)
    DenseScorer(["Jaguar"] * 20 + ["Mercury"], embed)
    assert embed.given == 2


def test_search_leaves_the_threads_of_torch_as_they_are() -> None:
    before = torch.get_num_threads()
    next(DenseScorer(["Jaguar"], Table(["Jaguar"], 1)).best(["Jaguar"], 1))
    assert torch.get_num_threads() == before


def test_empty_corpus_needs_no_vectors() -> None:
    embed = Table([], 1)
    DenseScorer([], embed)
    assert embed.given == 0


@pytest.fixture(scope="module")
def minilm() -> DenseScorer:
    return DenseScorer(CORPUS, load_embed(MINILM))


@NEEDS_MINILM
def test_scores_are_cosines(minilm: DenseScorer) -> None:
    encoder = load_sentence_encoder(MINILM)
    corpus, query = encoder.encode(CORPUS), encoder.encode(["wild cat"])[0]
    cosines = corpus @ query / (np.linalg.norm(corpus, axis=1) * np.linalg.norm(query))
    (hits,) = minilm.best(["wild cat"], len(CORPUS))
    np.testing.assert_allclose(hits.scores, cosines, atol=2e-5)


@NEEDS_MINILM
def test_equal_strings_have_equal_scores(minilm: DenseScorer) -> None:
    (hits,) = minilm.best(["Jaguar"], len(CORPUS))
    assert hits.scores[0] == hits.scores[5] == pytest.approx(1.0, abs=1e-5)


@NEEDS_MINILM
def test_scores_follow_the_meaning(minilm: DenseScorer) -> None:
    (hits,) = minilm.best(["a long stream in South America"], 1)
    assert hits.rows.tolist() == [CORPUS.index("Amazon river")]
