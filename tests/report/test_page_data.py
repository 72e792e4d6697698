"""The rows of the error browser."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gemel.report.page_data import ambiguous_mentions, browser_data, marked
from report.synthetic_run import RIGHT, WRONG, Asked, make_run

SURE = replace(WRONG, scores=(-0.1, -9.0, -9.0))


def rows(folder: Path, *asked: Asked) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser_data(make_run(folder, asked))["mentions"]
    return found


@pytest.mark.parametrize(
    ("text", "mention", "start", "parts"),
    [
        ("the Jaguar", "Jaguar", 4, ("the ", "Jaguar", "")),
        ("😀😀 Jaguar x", "Jaguar", 3, ("😀😀 ", "Jaguar", " x")),
        ("a Jaguar", "Jaguar", None, ("a ", "Jaguar", "")),
        ("nobody", "Jaguar", None, ("nobody", "", "")),
    ],
)
def test_text_is_cut_around_its_mention(text: str, mention: str, start: int | None, parts: tuple[str, ...]) -> None:
    assert marked(text, mention, start) == parts


def test_errors_come_first_the_surest_first_and_then_the_least_sure_right_ones(tmp_path: Path) -> None:
    unsure = replace(RIGHT, scores=(-0.1, -0.2, -0.2))
    assert [row["id"] for row in rows(tmp_path, RIGHT, WRONG, unsure, SURE)] == ["m3", "m1", "m2", "m0", "m4"]


def test_row_has_candidates_with_probabilities_and_the_other_variants(tmp_path: Path) -> None:
    data = browser_data(make_run(tmp_path, [WRONG]))
    row = data["mentions"][0]
    names = [entity[1] for entity in data["entities"]]
    assert [names[number] for number, _, _ in row["answers"]] == ["Jaguar (animal)", "Jaguar Cars", "Mercury (planet)"]
    assert sum(share for _, _, share in row["answers"]) == pytest.approx(1, abs=1e-3)
    assert (names[row["gold"]], row["place"]) == ("Jaguar Cars", 2)
    assert data["variants"] == ["without image", "without demonstrations"]
    assert [names[number] for number, *_ in row["others"]] == ["Jaguar (animal)"] * 2


def test_only_the_best_seed_is_shown(tmp_path: Path) -> None:
    assert len(rows(tmp_path, WRONG, RIGHT)) == 3


def test_slices_say_what_a_mention_is(tmp_path: Path) -> None:
    right, *_ = (row for row in rows(tmp_path, RIGHT, replace(RIGHT, gold="Q2", left_out=1)) if row["id"] == "m0")
    assert right["tags"] == ["unseen entity", "ambiguous mention", "right only with the image"]
    _, other = sorted(rows(tmp_path / "b", RIGHT, replace(RIGHT, left_out=1)), key=lambda row: row["id"])[:2]
    assert "unambiguous mention" in other["tags"]
    assert "demonstrations left out" in other["tags"]


def test_demonstrations_are_shared_and_say_whether_they_have_an_image(tmp_path: Path) -> None:
    data = browser_data(make_run(tmp_path, [WRONG]))
    assert data["mentions"][0]["demonstrations"] == [1, 0]
    assert data["demonstrations"][0] == {"text": ("An old ", "Jaguar", ""), "name": "Jaguar (animal)", "image": True}
    assert data["demonstrations"][1]["image"] is False


def test_entities_have_their_neighbours_in_the_trie(tmp_path: Path) -> None:
    entities = browser_data(make_run(tmp_path, [WRONG]))["entities"]
    cars = next(entity for entity in entities if entity[1] == "Jaguar Cars")
    assert [(entities[number][1], shared) for number, shared in cars[4]] == [("Jaguar (animal)", len("Jaguar "))]


def test_gold_outside_the_catalog_is_shown_by_its_id(tmp_path: Path) -> None:
    entities = browser_data(make_run(tmp_path, [replace(WRONG, gold="Q999")]))["entities"]
    assert ["Q999", "", "", "not in the catalog", []] in entities


def test_mentions_of_two_entities_are_ambiguous_in_any_case(tmp_path: Path) -> None:
    run = make_run(tmp_path, [RIGHT, replace(RIGHT, mention="JAGUAR", gold="Q2"), Asked("Mercury", "Mercury", "Q3")])
    assert ambiguous_mentions(run.tables.mentions) == {"jaguar"}
