"""The JSON Schema of a data set's lines agrees with what the reader takes."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from gemel.core.errors import DataError
from gemel.posts.rows import EntityLine, MentionLine, PostLine, Rows, json_schemas

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema comes with great-expectations")
MENTION = {"id": "m", "mention": "Jaguar", "start": 0, "end": 6, "entity": "Q1"}
POST = {"id": "p", "text": "Jaguar", "split": "train", "mentions": [MENTION], "image": None}
ENTITY = {"id": "Q1", "label": "Jaguar", "aliases": [], "popularity": 1}


def fits_schema(name: str, line: object) -> bool:
    return bool(jsonschema.Draft202012Validator(json_schemas()[name]).is_valid(line))


def is_read(line: dict[str, Any]) -> bool:
    try:
        if "label" in line:
            EntityLine.model_validate_json(json.dumps(line))
        else:
            for mention in PostLine.model_validate_json(json.dumps(line)).mentions:
                MentionLine.model_validate(mention)
    except ValidationError:
        return False
    return True


LINES = [
    ("posts.jsonl", POST, True),
    ("posts.jsonl", POST | {"mentions": [], "more": 1}, True),
    ("posts.jsonl", POST | {"mentions": [MENTION | {"entity": None}]}, True),
    ("posts.jsonl", POST | {"text": " "}, False),
    ("posts.jsonl", POST | {"split": "valid"}, False),
    ("posts.jsonl", POST | {"mentions": [MENTION | {"start": "0"}]}, False),
    ("posts.jsonl", POST | {"mentions": [{"id": "m", "mention": "Jaguar"}]}, False),
    ("posts.jsonl", POST | {"text": "a\0b"}, False),
    ("posts.jsonl", POST | {"text": "a\nb "}, True),
    ("entities.jsonl", ENTITY, True),
    ("entities.jsonl", ENTITY | {"popularity": -1}, False),
    ("entities.jsonl", {"id": "", "label": "Jaguar"}, False),
]


@pytest.mark.parametrize(("name", "line", "good"), LINES)
def test_schema_and_reader_agree(name: str, line: dict[str, Any], good: bool) -> None:
    assert (fits_schema(name, line), is_read(line)) == (good, good)


def test_row_that_disappears_is_noticed() -> None:
    rows = Rows("posts.jsonl", read=3)
    rows.reject(1, "{", "broken")
    rows.check_sum(kept=2)
    with pytest.raises(DataError, match=r"posts.jsonl: 3 rows read, but 1 kept and 1 rejected; please report this"):
        rows.check_sum(kept=1)
