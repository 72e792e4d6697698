"""Evaluation on answers that are made up: what is graded, what is counted, and every figure worked out by hand."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from gemel.answerer import Answer
from gemel.core.errors import DataError
from gemel.core.schema import Candidate, Mention
from gemel.evaluation.grading import Graded, given_names, graded
from gemel.evaluation.names import ALONE, BLIND, CAPTIONED, FULL, IMAGELESS
from gemel.evaluation.predictions import prediction_table
from gemel.evaluation.summary import summarize
from gemel.evaluation.variants import Variant, queries, variants

# No slices beside the named figures.
UNSLICED = pl.DataFrame({"mention_id": ["m4", "m5", "m6"]})
UNSLICED_BY_NAME = pl.DataFrame({"mention_id": ["m4", "m5", "m6", "m8"]})
# mention, split, gold entity, whether the catalog has it, image
MENTIONS = [
    ("m0", "train", "Q1", True, "a"),
    ("m1", "train", "Q1", True, "b"),
    ("m2", "train", "Q2", True, None),
    ("m3", "train", None, False, None),
    ("m4", "test", "Q1", True, "c"),
    ("m5", "test", "Q2", True, None),
    ("m6", "test", "Q3", True, "d"),
    ("m7", "test", None, False, None),
    ("m8", "test", "Q9", False, "e"),
    ("m9", "dev", "Q1", True, "f"),
]


@pytest.fixture(scope="module")
def tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = [(m, f"p{m}", "Jaguar", 0, f"text {m}", q, in_kb, split) for m, split, q, in_kb, _ in MENTIONS]
    columns = ["mention_id", "post_id", "mention", "start", "text", "entity_id", "in_kb", "split"]
    posts = [(f"p{m}", image, None if image is None else f"a {image}") for m, *_, image in MENTIONS]
    return (
        pl.DataFrame(rows, schema=columns, orient="row"),
        pl.DataFrame(posts, schema=["post_id", "image_sha256", "caption"], orient="row"),
    )


@pytest.fixture(scope="module")
def test_split(tables: tuple[pl.DataFrame, pl.DataFrame]) -> Graded:
    return graded(*tables, "test")


def answers(*ids: str, left_out: int = 0, kept_characters: int | None = None) -> list[Answer]:
    """The answer for each mention, one digit an entity: "12" is Q1, then Q2."""
    found = [tuple(Candidate(f"Q{digit}", digit, -float(place), 0.5) for place, digit in enumerate(row)) for row in ids]
    return [Answer(candidates, left_out, kept_characters) for candidates in found]


def predictions(mentions: Graded, **runs: list[tuple[str, ...]]) -> pl.DataFrame:
    names = {"full": FULL, "blind": BLIND, "alone": ALONE, "captioned": CAPTIONED, "random": "random demonstrations"}
    names |= {"imageless": IMAGELESS}
    return pl.concat(
        prediction_table(mentions, "test", names[run], seed, answers(*ids))
        for run, of_seeds in runs.items()
        for seed, ids in enumerate(of_seeds)
    )


# Gold is Q1, Q2, Q3. Of m4 Q1 was trained on twice, Q2 of m5 once, Q3 of m6 never; m5 has no image.
RUNS: dict[str, list[tuple[str, ...]]] = {
    "full": [("12", "21", "13"), ("12", "12", "31")],
    "blind": [("21", "21", "21")],
    "alone": [("12", "12", "12"), ("12", "12", "12")],
    "captioned": [("12", "21", "31")],
    "imageless": [("12", "12", "31"), ("21", "12", "31")],
}


@pytest.fixture(scope="module")
def summary(test_split: Graded) -> dict[str, Any]:
    return summarize(predictions(test_split, **RUNS), test_split, UNSLICED, tail_at_most=1)


def test_mentions_with_an_entity_of_the_catalog_are_graded(test_split: Graded) -> None:
    assert test_split.table["mention_id"].to_list() == ["m4", "m5", "m6"]


def test_mentions_that_are_not_graded_are_counted(test_split: Graded) -> None:
    assert (test_split.nil, test_split.out_of_kb) == (1, 1)


def test_split_without_a_gradable_mention_is_refused(tables: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    mentions, posts = tables
    with pytest.raises(DataError, match="nothing to grade: no mention of the split 'dev'"):
        graded(mentions.filter(pl.col("split") != "dev"), posts, "dev")


def test_train_counts_are_of_the_training_split(test_split: Graded) -> None:
    assert test_split.train_counts.tolist() == [2, 1, 0]


def test_query_holds_what_the_linker_needs(test_split: Graded) -> None:
    chosen = {"m4": (3, 1), "m5": (0,), "m6": ()}
    vectors = {"c": np.ones(2, np.float32), "d": np.zeros(2, np.float32), None: None}
    found = queries(test_split, chosen, vectors.__getitem__)
    assert [query.demonstrations for query in found] == [(3, 1), (0,), ()]
    assert [query.text for query in found] == ["text m4", "text m5", "text m6"]
    assert found[0].mention == Mention("Jaguar", 0)
    assert found[0].vector is vectors["c"]
    assert found[1].vector is None
    assert [query.caption for query in found] == ["a c", None, "a d"]


def test_query_without_demonstrations(test_split: Graded) -> None:
    assert [query.demonstrations for query in queries(test_split, None, lambda _: None)] == [(), (), ()]


def test_place_is_that_of_the_gold_entity(test_split: Graded) -> None:
    table = prediction_table(test_split, "test", FULL, 3, answers("12", "132", "12"))
    assert table["place"].to_list() == [1, 3, 0]
    assert table["answers"].to_list() == [["Q1", "Q2"], ["Q1", "Q3", "Q2"], ["Q1", "Q2"]]
    assert (table["split"].unique().item(), table["variant"].unique().item(), table["seed"][0]) == ("test", FULL, 3)


# Q1 and Q2 have one name.
NAMES = {"Q1": "Jaguar", "Q2": "Jaguar", "Q3": "Mercury"}


def test_by_name_every_mention_of_an_entity_is_graded(tables: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    by_name = graded(*tables, "test", NAMES)
    assert by_name.table["mention_id"].to_list() == ["m4", "m5", "m6", "m8"]
    assert (by_name.nil, by_name.out_of_kb) == (1, 1)


def test_by_name_an_entity_of_the_gold_name_is_a_hit(tables: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    table = prediction_table(graded(*tables, "test", NAMES), "test", FULL, 0, answers("2", "31", "12", "3"))
    assert table["place"].to_list() == [1, 2, 0, 0]
    assert table["answers"].to_list()[0] == ["Q2"]


def test_by_name_an_entity_that_the_catalog_lacks_is_wrong_in_the_accuracy(
    tables: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    by_name = graded(*tables, "test", NAMES)
    right = [("1", "2", "3", "1")]
    found: Any = summarize(
        predictions(by_name, full=right, blind=right, alone=right), by_name, UNSLICED_BY_NAME, tail_at_most=1
    )
    assert (found["accuracy"]["mean"], found["accuracy"]["n"]) == (0.75, 4)


def test_given_name_is_the_one_before_entities_were_told_apart() -> None:
    columns = {"entity_id": ["Q1", "Q2"], "name": ["Jaguar (car)", "Mercury"], "label": ["Jaguar", ""]}
    assert given_names(pl.DataFrame(columns)) == {"Q1": "Jaguar", "Q2": "Mercury"}


def test_ablations_are_run_and_what_no_mapper_sees_once() -> None:
    runs = variants("bm25", ("bm25", "random"), (0, 1), captions=True)
    assert runs == (
        Variant(FULL, "image", "bm25", (0, 1)),
        Variant(BLIND, "nothing", "bm25", (0,), imageless=True),
        Variant(IMAGELESS, "image", "bm25", (0, 1), imageless=True),
        Variant(ALONE, "image", None, (0, 1)),
        Variant(CAPTIONED, "caption", "bm25", (0,)),
        Variant("random demonstrations", "image", "random", (0, 1)),
    )


def test_upper_bound_needs_captions() -> None:
    assert CAPTIONED not in [run.name for run in variants("bm25", (), (0,), captions=False)]


@pytest.mark.parametrize(
    ("name", "mean", "n"),
    [
        ("accuracy", 4 / 6, 3),
        ("hits_at_5", 1.0, 3),
        ("accuracy_without_image", 1 / 3, 3),
        ("accuracy_imageless_post", 1 / 2, 3),
        ("accuracy_without_demonstrations", 1 / 3, 3),
        ("accuracy_gold_caption", 1.0, 3),
        ("image_gain", 1 / 3, 3),
        ("demonstration_gain", 1 / 3, 3),
        ("gap_closed", 0.5, 3),
        ("accuracy_head", 1.0, 1),
        ("accuracy_tail", 0.5, 1),
        ("accuracy_unseen", 0.5, 1),
        ("accuracy_seen", 0.75, 2),
        ("image_gain_head", 1.0, 1),
        ("image_gain_tail", -0.5, 1),
        ("accuracy_imputed_image", 0.5, 1),
        ("accuracy_real_image", 0.75, 2),
    ],
)
def test_figure_by_hand(summary: dict[str, Any], name: str, mean: float, n: int) -> None:
    assert summary[name]["mean"] == pytest.approx(mean, abs=1e-6)
    assert summary[name]["n"] == n


def test_figure_says_how_many_seeds_it_averages(summary: dict[str, Any]) -> None:
    assert (summary["accuracy"]["seeds"], summary["accuracy_without_image"]["seeds"]) == (2, 1)


def test_summary_counts_what_was_not_graded(summary: dict[str, Any]) -> None:
    assert summary["counts"] == {
        "mentions": 3,
        "nil": 1,
        "out_of_kb": 1,
        "imputed_image": 1,
        "shortened_prompts": 0,
        "windowed_texts": 0,
    }


def test_what_did_not_fit_the_llm_is_counted_once_for_all_seeds(test_split: Graded) -> None:
    fitted = answers("12", left_out=2) + answers("1", left_out=2, kept_characters=0) + answers("1")
    runs = [
        prediction_table(test_split, "test", variant, seed, fitted)
        for variant in (FULL, BLIND, ALONE)
        for seed in (4, 5)
    ]
    assert runs[0]["kept_characters"].to_list() == [None, 0, None]
    found: Any = summarize(pl.concat(runs), test_split, UNSLICED, tail_at_most=1)
    assert (found["counts"]["shortened_prompts"], found["counts"]["windowed_texts"]) == (2, 1)


def test_empty_slice_has_no_figure(test_split: Graded) -> None:
    found = summarize(predictions(test_split, **RUNS), test_split, UNSLICED, tail_at_most=2)
    assert found["accuracy_head"] is None
    assert found["image_gain_head"] is None


def test_upper_bound_that_was_not_run_has_no_figure(test_split: Graded) -> None:
    runs = {name: run for name, run in RUNS.items() if name != "captioned"}
    found = summarize(predictions(test_split, **runs), test_split, UNSLICED, tail_at_most=1)
    assert found["accuracy_gold_caption"] is None
    assert found["gap_closed"] is None


def test_other_ways_to_choose_demonstrations_are_named(test_split: Graded) -> None:
    found: Any = summarize(
        predictions(test_split, **RUNS, random=[("12", "21", "12")]), test_split, UNSLICED, tail_at_most=1
    )
    assert found["accuracy_random"]["mean"] == pytest.approx(2 / 3, abs=1e-6)


def test_gold_beyond_the_fifth_answer_is_no_hit(test_split: Graded) -> None:
    late = [("456781", "21", "31")]
    found: Any = summarize(predictions(test_split, **RUNS | {"full": late}), test_split, UNSLICED, tail_at_most=1)
    assert found["hits_at_5"]["mean"] == pytest.approx(2 / 3, abs=1e-6)
