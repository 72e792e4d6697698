"""KILT's lines, held to the format that its repository documents."""

import json
from pathlib import Path

import jsonschema
import pytest
from linked_posts import CAR, write_linked

from gemel.core.errors import DataError
from gemel.interchange.export import ExportOptions, export_links
from gemel.interchange.formats import Format
from gemel.interchange.kilt import HAS_MARKS, Page, kilt_rows, read_pages

PROVENANCE = {
    "type": "object",
    "required": ["wikipedia_id", "title"],
    "properties": {"wikipedia_id": {"type": ["string", "null"]}, "title": {"type": "string"}, "meta": {}},
    "additionalProperties": False,
}
# As a guess must be: KILT's evaluation wants exactly one output.
SCHEMA = {
    "type": "object",
    "required": ["id", "input", "output"],
    "properties": {
        "id": {"type": "string"},
        "input": {"type": "string", "pattern": r"\[START_ENT\] [\s\S]+ \[END_ENT\]"},
        "output": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["answer", "provenance"],
                "properties": {"answer": {"type": "string"}, "provenance": {"type": "array", "items": PROVENANCE}},
            },
        },
        "meta": {"type": "object"},
    },
    "additionalProperties": False,
}


def test_lines_are_of_kilts_format(tmp_path: Path) -> None:
    export_links(write_linked(tmp_path).read(), Format.KILT, tmp_path / "kilt.jsonl", ExportOptions())
    rows = [json.loads(line) for line in (tmp_path / "kilt.jsonl").read_text(encoding="utf-8").split("\n") if line]
    for row in rows:
        jsonschema.validate(row, SCHEMA)
    assert len({row["id"] for row in rows}) == len(rows) == 3


def test_mention_stands_between_the_marks(tmp_path: Path) -> None:
    first, second, _ = kilt_rows(write_linked(tmp_path).read().mentions, {})
    assert first["input"] == "🐆 the [START_ENT] Jaguar [END_ENT]\nslept"
    assert second["input"] == "Jaguar or [START_ENT] Jaguar [END_ENT]"
    assert (second["meta"]["left_context"], second["meta"]["right_context"]) == ("Jaguar or ", "")


def test_provenance_ranks_the_candidates(tmp_path: Path) -> None:
    first, *_ = kilt_rows(write_linked(tmp_path).read().mentions, {})
    (output,) = first["output"]
    assert output["answer"] == "Jaguar Cars"
    assert [page["title"] for page in output["provenance"]] == ["Jaguar Cars", "Jaguar", "Jaguar (boat)"]


def test_pages_give_the_ids_and_titles_of_wikipedia(tmp_path: Path) -> None:
    (tmp_path / "pages.tsv").write_text("Q30055\t16217\tJaguar Cars Ltd\n")
    pages = read_pages(tmp_path / "pages.tsv")
    assert pages == {CAR.entity_id: Page("16217", "Jaguar Cars Ltd")}
    first, *_ = kilt_rows(write_linked(tmp_path).read().mentions, pages)
    (output,) = first["output"]
    assert output["answer"] == "Jaguar Cars Ltd"
    assert [page["wikipedia_id"] for page in output["provenance"]] == ["16217", None, None]


def test_title_in_an_id_is_the_answer(tmp_path: Path) -> None:
    *_, last = kilt_rows(write_linked(tmp_path).read().mentions, {})
    assert last["output"][0]["answer"] == "São Paulo"


def test_text_that_holds_a_mark_is_left_out_and_counted(tmp_path: Path) -> None:
    kinds = [("marked", "[END_ENT] a Jaguar", {"mention": "Jaguar"}, (CAR,))]
    report = export_links(write_linked(tmp_path, kinds).read(), Format.KILT, tmp_path / "kilt.jsonl", ExportOptions())
    assert (report.written, report.left_out) == (0, {HAS_MARKS: 1})
    assert (tmp_path / "kilt.jsonl").read_text() == ""


@pytest.mark.parametrize("line", ["Q1\t12", "Q1\tpage\tTitle", "Q1\t1\tA\tB"])
def test_other_pages_are_named_by_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "pages.tsv").write_text(f"Q1\t1\tA\n{line}\n")
    with pytest.raises(DataError, match=r"pages.tsv line 2: expected entity id, page id and title between tabs, found"):
        read_pages(tmp_path / "pages.tsv")
