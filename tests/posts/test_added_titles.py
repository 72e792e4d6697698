"""Titles that join a data set's entities."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from source_files import contents
from tiny_dataset import WriteDataset

from gemel.core.errors import DataError
from gemel.posts.added_titles import REJECTED_TITLES, add_titles
from gemel.posts.dataset import read_dataset, read_facts

LINES = (
    '{"popularity": 3, "label": "Jaguar",  "id": "Q35694", "aliases": ["Panthera onca"], "own": 1}\n'
    '{"id": "Q925", "label": "mercury", "name": "Mercury (element)", "title": "Mercury  element"}\n'
    '{"id": "enwiki:Amazon", "label": "The river"}'
)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "own"
    folder.mkdir(parents=True)
    (folder / "entities.jsonl").write_text(LINES)
    (folder / "dataset.json").write_text('{"name": "own", "format": 1, "licence": "own"}')
    return folder


def added(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "entities.jsonl").read_text()
    assert text.startswith(LINES + "\n")
    return [json.loads(line) for line in text[len(LINES) + 1 :].splitlines()]


def test_new_title_is_an_entity_behind_the_others(dataset: Path) -> None:
    add_titles(dataset, ["Mercury (planet)"], {})
    row = {"id": "enwiki:Mercury (planet)", "label": "Mercury (planet)", "title": "Mercury (planet)", "language": "en"}
    assert added(dataset) == [row]


@pytest.mark.parametrize("title", ["Jaguar", "Mercury (element)", "mercury", "Mercury element", "Amazon", "The river"])
def test_title_that_an_entity_is_called_by_is_left_out(dataset: Path, title: str) -> None:
    report = add_titles(dataset, [title], {})
    assert added(dataset) == []
    assert (report.read, report.kept, report.filtered["already there"]) == (1, 0, 1)


def test_alias_is_no_name_of_an_entity(dataset: Path) -> None:
    assert add_titles(dataset, ["Panthera onca"], {}).kept == 1


def test_second_time_adds_nothing(dataset: Path) -> None:
    add_titles(dataset, ["Okapi", "Zebra"], {})
    before = contents(dataset)["entities.jsonl"]
    report = add_titles(dataset, ["Okapi", "Zebra"], {})
    assert (report.kept, report.filtered["already there"]) == (0, 2)
    assert contents(dataset)["entities.jsonl"] == before


def test_titles_that_cannot_be_used_are_kept_with_their_reason(dataset: Path) -> None:
    report = add_titles(dataset, ["Okapi", "", "Okapi"], {})
    assert (report.kept, report.duplicates, report.rejected) == (1, 1, 1)
    rows = [json.loads(line) for line in (dataset / REJECTED_TITLES).read_text().splitlines()]
    assert [(row["line"], row["reason"].split(":")[0]) for row in rows] == [
        (2, "no name"),
        (3, "duplicate id 'enwiki"),
    ]
    add_titles(dataset, ["Zebra"], {})
    assert not (dataset / REJECTED_TITLES).exists()


def test_facts_say_where_titles_come_from(dataset: Path) -> None:
    add_titles(dataset, ["Okapi", "Jaguar"], {"source": "tree.pkl"})
    facts = read_facts(dataset)
    assert (facts["licence"], facts["entities"]) == ("own", 4)
    titles = facts["added_titles"]
    assert (titles["source"], titles["read"], titles["kept"], titles["filtered: already there"]) == (
        "tree.pkl",
        2,
        1,
        1,
    )


def test_data_set_with_added_titles_is_read(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    before = read_dataset(folder).entities
    add_titles(folder, ["Okapi"], {})
    assert [entity.label for entity in read_dataset(folder).entities] == [*(e.label for e in before), "Okapi"]


def test_titles_that_break_off_leave_the_data_set_as_it_was(dataset: Path) -> None:
    def breaking() -> Iterator[str]:
        yield "Okapi"
        raise DataError("broken")

    before = contents(dataset)
    with pytest.raises(DataError, match="broken"):
        add_titles(dataset, breaking(), {})
    assert contents(dataset) == before


def test_missing_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data set; import one with `gemel import`"):
        add_titles(tmp_path / "gone", ["Okapi"], {})
