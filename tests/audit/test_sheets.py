"""The spreadsheet: written for people, read back whatever their program made of it."""

import csv
from pathlib import Path

import pytest
from audit.sampled import draw, fill, sample_in
from linked_posts import CAR

from gemel.audit.files import SHEET
from gemel.audit.judgements import Verdict
from gemel.audit.spreadsheet import COLUMNS, read_sheet
from gemel.core.errors import DataError


def written(sample: Path) -> list[dict[str, str]]:
    with (sample / SHEET).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_sheet_has_a_row_for_each_item_in_the_order_drawn(tmp_path: Path) -> None:
    sample = draw(tmp_path, 6)
    rows = written(sample)
    assert list(rows[0]) == list(COLUMNS)
    assert [row["item"] for row in rows] == [item.item for item in sample_in(sample).items]
    assert {row["judgement"] + row["right_entity"] + row["annotator"] for row in rows} == {""}


def test_sheet_shows_the_link_and_its_runners_up(tmp_path: Path) -> None:
    (row,) = [row for row in written(draw(tmp_path, 6)) if row["post_id"] == "once"]
    assert (row["text"], row["mention"], row["start"], row["end"]) == ("🐆 the Jaguar\nslept", "Jaguar", "6", "12")
    assert (row["entity_id"], row["name"], row["probability"]) == ("Q30055", "Jaguar Cars", "0.6000")
    assert row["runners_up"] == "Jaguar (Q35694); Jaguar (boat) (kb:7 a)"


@pytest.mark.parametrize("text", ["=SUM(A1) x", "+1 x", "-1 x", "@x"])
def test_text_is_no_formula(tmp_path: Path, text: str) -> None:
    (row,) = written(draw(tmp_path, 1, [("p", text, {"mention": "x"}, (CAR,))]))
    assert row["text"] == f"'{text}"


def test_filled_rows_are_judgements_and_empty_ones_are_none(tmp_path: Path) -> None:
    sample = draw(tmp_path, 6)
    sheet = fill(sample, tmp_path / "anna.csv", {0: "correct", 2: " Wrong ", 3: "UNSURE"}, _2="Q5")
    found = list(read_sheet(sheet))
    assert [each.verdict for each in found] == [Verdict.CORRECT, Verdict.WRONG, Verdict.UNSURE]
    assert [each.item for each in found] == [sample_in(sample).items[place].item for place in (0, 2, 3)]
    assert [each.right_entity for each in found] == ["", "Q5", ""]
    assert found[1].where.endswith("anna.csv row 4")


def test_file_names_the_annotator_where_the_column_is_empty(tmp_path: Path) -> None:
    sheet = fill(draw(tmp_path, 6), tmp_path / "anna.csv", {0: "correct"})
    assert [each.annotator for each in read_sheet(sheet)] == ["anna"]


def test_column_names_the_annotator(tmp_path: Path) -> None:
    sheet = fill(draw(tmp_path, 6), tmp_path / "x.csv", {0: "correct"}, annotator="Ben")
    assert [each.annotator for each in read_sheet(sheet)] == ["Ben"]


def test_annotator_in_some_rows_only_is_refused(tmp_path: Path) -> None:
    sample = draw(tmp_path, 6)
    sheet = fill(sample, tmp_path / "x.csv", {0: "correct"}, annotator="Ben")
    rows = sheet.read_text(encoding="utf-8")
    other = fill(sample, tmp_path / "y.csv", {1: "wrong"}).read_text(encoding="utf-8").split("\n", 1)[1]
    sheet.write_text(rows + other, encoding="utf-8")
    with pytest.raises(DataError, match=r"x.csv row 9: judged, but annotator is empty, which other rows state; fill"):
        list(read_sheet(sheet))


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_sheet_of_any_separator_is_read(tmp_path: Path, separator: str, mark: str) -> None:
    lines = (["item", "judgement", "right_entity"], ["s1-1", "correct", ""], ["s1-2", "wrong", '"a; b, c"'])
    text = "\r\n".join(separator.join(line) for line in lines)
    (tmp_path / "x.csv").write_text(f"{mark}{text}\r\n", encoding="utf-8", newline="")
    found = list(read_sheet(tmp_path / "x.csv"))
    assert [(each.item, each.right_entity) for each in found] == [("s1-1", ""), ("s1-2", "a; b, c")]


def test_another_word_is_named_with_its_row(tmp_path: Path) -> None:
    sheet = fill(draw(tmp_path, 6), tmp_path / "x.csv", {1: "yes"})
    with pytest.raises(
        DataError, match=r"x.csv row 3: judgement 'yes'; write correct, wrong, unsure or leave it empty"
    ):
        list(read_sheet(sheet))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "x.csv: the file is empty; save the sheet of `gemel audit sample` as CSV in UTF-8"),
        (b"item,text\ns1-1,a\n", r"columns \['judgement'\] are missing, found \['item', 'text'\]; save the sheet"),
        (b"item,judgement\ns1-1,Z\xfcrich\n", "no readable CSV"),
        (b"item,judg\xffement\n", "no readable CSV"),
    ],
)
def test_other_files_are_no_sheets(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        list(read_sheet(tmp_path / "x.csv"))


def test_missing_sheet_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no.csv: no such file; give judgements.csv, filled in"):
        list(read_sheet(tmp_path / "no.csv"))
