"""ELEVANT's simple JSONL, held to what its reader takes."""

import json
from pathlib import Path

import jsonschema
import pytest
from linked_posts import KINDS, write_linked

from gemel.interchange.export import ExportOptions, export_links
from gemel.interchange.formats import Format

# What ELEVANT's SimpleJsonlPredictionReader reads.
SCHEMA = {
    "type": "object",
    "required": ["predictions"],
    "properties": {
        "predictions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["entity_reference", "start_char", "end_char"],
                "properties": {
                    "entity_reference": {"type": "string"},
                    "start_char": {"type": "integer"},
                    "end_char": {"type": "integer"},
                    "candidates": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}


@pytest.fixture
def rows(tmp_path: Path) -> list[dict]:
    export_links(write_linked(tmp_path).read(), Format.ELEVANT, tmp_path / "e.jsonl", ExportOptions("https://kb.org/"))
    return [json.loads(line) for line in (tmp_path / "e.jsonl").read_text(encoding="utf-8").split("\n") if line]


def test_lines_are_of_elevants_format(rows: list[dict]) -> None:
    for row in rows:
        jsonschema.validate(row, SCHEMA)


def test_every_post_has_a_line_in_the_order_of_the_posts(rows: list[dict]) -> None:
    assert [row["title"] for row in rows] == [post_id for post_id, *_ in KINDS]
    assert [len(row["predictions"]) for row in rows] == [1, 1, 0, 0, 0, 1]


def test_spans_hold_the_mentions(rows: list[dict]) -> None:
    spans = [(row["text"], each["start_char"], each["end_char"]) for row in rows for each in row["predictions"]]
    assert [text[start:end] for text, start, end in spans] == ["Jaguar", "Jaguar", "Sampa"]


def test_references_are_uris_with_the_best_first(rows: list[dict]) -> None:
    (first,) = rows[0]["predictions"]
    assert first["entity_reference"] == first["candidates"][0] == "http://www.wikidata.org/entity/Q30055"
    assert first["candidates"][2] == "https://kb.org/entity/kb%3A7%20a"
