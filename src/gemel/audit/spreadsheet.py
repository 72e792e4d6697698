"""Judgements in a plain spreadsheet: a row for each link, to be filled by a person."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from gemel.audit.judgements import Judgement, parse_verdict
from gemel.audit.sampling import Sample
from gemel.core.errors import DataError
from gemel.interchange.label_studio import choice_text
from gemel.interchange.rows import LinkedMention, first_line

COLUMNS = (
    "item", "post_id", "text", "image", "mention", "start", "end", "entity_id", "name", "probability", "runners_up",
    "judgement", "right_entity", "annotator",
)  # fmt: skip
NEEDED = ("item", "judgement")
# What a spreadsheet program would take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sheet_text(sample: Sample, drawn: Sequence[LinkedMention]) -> str:
    """The sheet with its last columns empty: correct, wrong or unsure; the right entity; who judged."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for item, each in zip(sample.items, drawn, strict=True):
        start, end = (each.place.start, each.place.end) if each.place else ("", "")
        image = each.post.image.as_posix() if each.post.image else ""
        others = "; ".join(map(choice_text, each.candidates[1:]))
        shown = [item.item, item.post_id, each.post.text, image, each.mention, start, end, item.entity_id, item.name]
        writer.writerow([*map(_cell, shown), f"{item.probability:.4f}", _cell(others), "", "", ""])
    return buffer.getvalue()


def read_sheet(path: Path) -> Iterator[Judgement]:
    """Read the filled rows of a sheet; those with an empty judgement are not judged.

    Who judged stands in the column annotator; where that is missing or empty throughout, it is the file's name.
    Raises: DataError, naming file and row, if it is no such sheet, a judgement is another word, or the annotator is
    stated in some filled rows only.
    """
    rows = [(number, row) for number, row in enumerate(_table(path).to_dicts(), 2) if row["judgement"].strip()]
    names = {number: (row.get("annotator") or "").strip() for number, row in rows}
    if any(names.values()) and not all(names.values()):
        first = next(number for number, name in names.items() if not name)
        raise DataError(f"{path} row {first}: judged, but annotator is empty, which other rows state; fill it in")
    for number, row in rows:
        where = f"{path} row {number}"
        verdict = parse_verdict(row["judgement"], where)
        right = (row.get("right_entity") or "").strip()
        yield Judgement(row["item"].strip(), names[number] or path.stem, verdict, right, where)


def _table(path: Path) -> pl.DataFrame:
    """All cells as text. Raises: DataError."""
    advice = "save the sheet of `gemel audit sample` as CSV in UTF-8, all columns kept"
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        # Spreadsheet programs write what the language of the machine asks for.
        separator = max(",;\t", key=header.count)
        table = pl.read_csv(path, separator=separator, infer_schema=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give judgements.csv, filled in") from None
    except pl.exceptions.NoDataError:
        raise DataError(f"{path}: the file is empty; {advice}") from None
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: no readable CSV ({first_line(error)}); {advice}") from error
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise DataError(f"{path}: columns {missing} are missing, found {table.columns}; {advice}")
    return table.fill_null("")


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
