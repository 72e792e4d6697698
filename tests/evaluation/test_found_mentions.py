"""Mentions that are found against those that are given, worked out by hand."""

from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest

from gemel.core.schema import Mention
from gemel.evaluation.found_mentions import found_figures
from gemel.evaluation.names import BLIND, FULL
from gemel.posts.columns import MENTIONS_SCHEMA, POSTS_SCHEMA, REJECTED_SCHEMA
from gemel.posts.dataset import RawDataset
from gemel.posts.tables import Tables, build_tables


@dataclass(frozen=True)
class Fixed:
    """Finds the spans that it was told, by text."""

    spans: dict[str, tuple[Mention, ...]]

    def find(self, text: str) -> tuple[Mention, ...]:
        return self.spans.get(text, ())


# post, mention, start, entity
GIVEN = [
    ("p0", "aa", 0, "Q1"),
    ("p0", "bb", 3, "Q2"),
    ("p1", "aa", None, "Q1"),
    ("p2", "cc", 0, None),
    ("p3", "dd", 0, "Q3"),
]
TEXTS = {"p0": "aa bb", "p1": "aa aa", "p2": "cc x", "p3": "dd zz", "p4": "zz"}
FINDER = Fixed(
    {
        "aa bb": (Mention("aa", 0, 2),),
        "aa aa": (Mention("aa", 0, 2), Mention("aa", 3, 5)),
        "cc x": (Mention("cc", 0, 2),),
        "zz": (Mention("zz", 0, 2),),
    }
)


@pytest.fixture
def tables() -> Tables:
    posts = [{"post_id": post_id, "text": text, "split": "test"} for post_id, text in TEXTS.items()]
    posts.append({"post_id": "other", "text": "aa bb", "split": "dev"})
    mentions = [
        {"mention_id": f"m{row}", "post_id": post_id, "mention": mention, "start": start, "entity_id": entity}
        | {"in_kb": entity is not None, "split": "test", "text": TEXTS[post_id]}
        for row, (post_id, mention, start, entity) in enumerate(GIVEN)
    ]
    rows = RawDataset(
        "made",
        pl.DataFrame(posts, schema=POSTS_SCHEMA),
        pl.DataFrame(mentions, schema=MENTIONS_SCHEMA),
        (),
        pl.DataFrame(schema=REJECTED_SCHEMA),
        {},
    )
    return build_tables(rows, ())


def predicted(*places: tuple[int, int, int, int]) -> pl.DataFrame:
    """The place of the gold entity for each seed, of the four mentions that are graded."""
    rows = [
        {"split": "test", "variant": variant, "seed": seed, "mention_id": f"m{row}", "place": place}
        for variant in (FULL, BLIND)
        for seed, of_seed in enumerate(places)
        for row, place in zip((0, 1, 2, 4), of_seed, strict=True)
    ]
    return pl.DataFrame(rows)


def means(figures: dict[str, Any]) -> dict[str, float]:
    return {name: figure["mean"] for name, figure in figures.items() if figure and "mean" in figure}


def test_spans_and_entities_are_counted_apart(tables: Tables) -> None:
    figures = found_figures(FINDER, tables, "test", predicted((1, 1, 2, 1), (1, 1, 1, 1)))
    # Found are 5 spans, of which "aa" of p0, one "aa" of p1 and "cc" are given; given are 5, graded 4.
    # Of the graded ones "aa" of p0 is found and right with both seeds, that of p1 with the second.
    assert means(figures) == pytest.approx(
        {
            "span_precision": 3 / 5,
            "span_recall": 3 / 5,
            "span_f1": 6 / 10,
            "end_to_end_precision": 1.5 / 5,
            "end_to_end_recall": 1.5 / 4,
            "end_to_end_f1": 3 / 9,
        },
        abs=1e-6,
    )
    assert figures["counts"] == {"posts": 5, "found": 5, "given": 5, "posts_without_a_find": 1}


def test_interval_is_over_posts_and_holds_the_mean(tables: Tables) -> None:
    figures = found_figures(FINDER, tables, "test", predicted((1, 1, 1, 1)))
    figure: Any = figures["span_f1"]
    assert (figure["n"], figure["seeds"]) == (5, 1)
    assert 0 <= figure["low"] < figure["mean"] < figure["high"] <= 1


def test_span_that_is_one_off_is_not_found(tables: Tables) -> None:
    shifted = Fixed({"aa bb": (Mention("a", 0, 1), Mention("b", 3, 4))})
    figures = found_figures(shifted, tables, "test", predicted((1, 1, 1, 1)))
    assert means(figures)["span_precision"] == 0


def test_without_any_find_precision_is_none_and_recall_is_zero(tables: Tables) -> None:
    figures = found_figures(Fixed({}), tables, "test", predicted((1, 1, 1, 1)))
    assert figures["span_precision"] is None
    assert means(figures) == {
        "span_recall": 0,
        "span_f1": 0,
        "end_to_end_recall": 0,
        "end_to_end_f1": 0,
    }
