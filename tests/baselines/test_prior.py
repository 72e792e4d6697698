"""The most frequent entity of a mention in training."""

import polars as pl
from small_catalog import ENTITIES, asked, ids

from gemel.baselines.prior import Prior


def solved(*rows: tuple[str, str | None, str]) -> pl.DataFrame:
    """mention, entity, split."""
    table = pl.DataFrame(rows, schema={"mention": pl.String, "entity_id": pl.String, "split": pl.String}, orient="row")
    return table.with_columns(in_kb=pl.col("entity_id").is_in(ENTITIES["entity_id"].to_list()).fill_null(False))


def answers_of(*rows: tuple[str, str | None, str], top: int = 10, mention: str = "Jaguar") -> list[str]:
    (answer,) = Prior(solved(*rows), ENTITIES, top).answer(asked(mention))
    return ids(answer)


def test_most_frequent_entity_comes_first() -> None:
    assert answers_of(("Jaguar", "Q1", "train"), ("Jaguar", "Q2", "train"), ("Jaguar", "Q2", "train")) == ["Q2", "Q1"]


def test_ties_go_by_id() -> None:
    assert answers_of(("Jaguar", "Q2", "train"), ("Jaguar", "Q1", "train")) == ["Q1", "Q2"]


def test_other_splits_are_not_looked_at() -> None:
    assert answers_of(("Jaguar", "Q1", "dev"), ("Jaguar", "Q1", "test"), ("Jaguar", "Q2", "train")) == ["Q2"]


def test_mention_that_training_lacks_gets_no_answer() -> None:
    assert answers_of(("Jaguar", "Q1", "train"), mention="jaguar") == []


def test_entities_out_of_the_catalog_and_nil_are_no_answer() -> None:
    assert answers_of(("Jaguar", "Q99", "train"), ("Jaguar", None, "train")) == []


def test_answer_has_so_many_entities_at_most() -> None:
    assert answers_of(("Jaguar", "Q2", "train"), ("Jaguar", "Q1", "train"), top=1) == ["Q1"]
