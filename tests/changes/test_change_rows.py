"""The state of changed entities as lines."""

import re
from pathlib import Path

import pytest

from gemel.changes.rows import ENTITIES, read_entity_changes, write_entity_changes
from gemel.core.errors import DataError
from gemel.core.schema import Entity
from gemel.entities.changed import EntityChange

WHOLE = Entity("Q111", "Mars", "Mars", "fourth planet", "planet", ("Red Planet",), 7.0, "Mars (planet)", -44, "en")
CHANGES = (
    EntityChange("Q2", name="Terra"),
    EntityChange("Q111", added=WHOLE),
    EntityChange("Q3", removed=True),
    EntityChange("Q4", redirect="Q2"),
)


def test_changes_come_back_in_the_order_of_their_ids(tmp_path: Path) -> None:
    write_entity_changes(tmp_path, CHANGES)
    assert read_entity_changes(tmp_path) == tuple(sorted(CHANGES, key=lambda change: change.entity_id))


def test_lines_are_as_documented(tmp_path: Path) -> None:
    write_entity_changes(tmp_path, [*CHANGES, EntityChange("Q9", added=Entity("Q9", "Zürich"))])
    assert (tmp_path / ENTITIES).read_text(encoding="utf-8").splitlines() == [
        '{"id": "Q111", "name": "Mars", "label": "Mars", "description": "fourth planet", "type": "planet", "aliases": '
        '["Red Planet"], "popularity": 7.0, "title": "Mars (planet)", "year": -44, "language": "en"}',
        '{"id": "Q2", "name": "Terra"}',
        '{"id": "Q3", "removed": true}',
        '{"id": "Q4", "redirect": "Q2"}',
        '{"id": "Q9", "name": "Zürich", "label": "Zürich"}',
    ]


def test_without_changes_there_is_no_file(tmp_path: Path) -> None:
    write_entity_changes(tmp_path, CHANGES)
    write_entity_changes(tmp_path, ())
    assert not (tmp_path / ENTITIES).exists()
    assert read_entity_changes(tmp_path) == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{}", "id: Field required"),
        ('{"id": "Q1"}', "one of name, removed and redirect alone, found []"),
        ('{"id": "Q1", "removed": false}', "removed: Input should be True, found false"),
        ('{"id": "Q1", "removed": true, "name": "x"}', "alone, found ['name', 'removed']"),
        ('{"id": "Q1", "redirect": "Q1"}', "alone, found ['redirect']"),
        ('{"id": "Q1", "label": "x"}', "expected a whole entity with name and label"),
        ('{"id": "Q1", "name": "x", "kind": "y"}', 'kind: Extra inputs are not permitted, found "y"'),
        ('{"id": "Q2", "removed": true}', "a second line of 'Q2'"),
        ("[", "row: Invalid JSON"),
    ],
)
def test_broken_line_is_named(line: str, words: str, tmp_path: Path) -> None:
    (tmp_path / ENTITIES).write_text('{"id": "Q2", "name": "Terra"}\n' + line + "\n")
    advice = "correct the line, or take the file back with `dvc checkout data.dvc`"
    with pytest.raises(DataError, match=rf"entities\.jsonl line 2: .*{re.escape(words)}.*; {advice}"):
        read_entity_changes(tmp_path)
