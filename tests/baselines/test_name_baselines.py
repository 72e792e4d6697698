"""Equal names, and BM25 over names."""

import polars as pl
import pytest
from small_catalog import ENTITIES, NAMES, asked, ids

from gemel.baselines.names import Bm25Names, ExactName


def exact(mention: str, top: int = 10) -> list[str]:
    (answer,) = ExactName(ENTITIES, NAMES, top).answer(asked(mention))
    return ids(answer)


def bm25(mention: str, top: int = 10, names: pl.DataFrame = NAMES) -> list[str]:
    (answer,) = Bm25Names(ENTITIES, names, top).answer(asked(mention))
    return ids(answer)


def test_entities_of_one_label_go_by_popularity_then_by_id() -> None:
    assert exact("Jaguar") == ["Q2", "Q0", "Q1"]


@pytest.mark.parametrize("name", ["Amazon River", "Amazon"], ids=["label", "alias"])
def test_any_kind_of_name_is_a_match(name: str) -> None:
    assert exact(name) == ["Q3"]


def test_generated_name_is_a_match() -> None:
    assert exact("Jaguar (animal)") == ["Q1"]


@pytest.mark.parametrize("mention", ["jaguar", "Jaguar ", "Jag"])
def test_what_is_no_name_to_the_letter_gets_no_answer(mention: str) -> None:
    assert exact(mention) == []


def test_exact_answer_has_so_many_entities_at_most() -> None:
    assert exact("Jaguar", top=2) == ["Q2", "Q0"]


def test_bm25_finds_a_name_by_one_of_its_words() -> None:
    assert bm25("the river") == ["Q3"]


def test_bm25_gives_an_entity_once_however_many_names_it_has() -> None:
    assert bm25("amazon") == ["Q3"]


def test_bm25_without_a_common_word_gets_no_answer() -> None:
    assert bm25("Mercury") == []


def test_bm25_finds_enough_entities_behind_one_with_many_names() -> None:
    many = pl.DataFrame(
        [("Q3", f"Rio {number}", None, "alias") for number in range(20)]
        + [("Q1", "Rio Grande do Sul", None, "alias"), ("Q2", "Mercury", None, "alias")] * 2,
        schema=NAMES.schema,
        orient="row",
    )
    assert bm25("Rio", top=2, names=many) == ["Q3", "Q1"]
