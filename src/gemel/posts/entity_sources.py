"""Knowledge bases in simple formats, read into rows one at a time: JSON lines, CSV, TSV, lists of titles."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from gemel.core.errors import DataError
from gemel.posts.rows import EntityLine
from gemel.posts.source_lines import text_lines

COLUMNS = tuple(EntityLine.model_fields)
NAMES = ("label", "name", "title")


@dataclass(frozen=True, slots=True)
class Found:
    """A row that may become an entity. row: keys of COLUMNS."""

    line: int
    text: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filtered:
    """A row that isn't wanted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that can't be read."""

    line: int
    text: str
    reason: str


Item = Found | Filtered | Broken


def read_json_objects(path: Path) -> Iterator[Item]:
    """Read JSON lines of entities; blank lines are no rows.

    Raises: DataError if the file can't be read or a row has an unknown key.
    """
    for number, text in text_lines(path):
        if text.strip():
            item = parse_object(number, text.strip())
            if isinstance(item, Found):
                _check_columns(f"{path} line {number}", item.row)
            yield item


def parse_object(number: int, text: str) -> Found | Broken:
    """Parse one JSON object, its keys unchecked."""
    try:
        row = from_json(text)
    except ValueError as error:
        return Broken(number, text, f"row: Invalid JSON: {error}")
    if not isinstance(row, dict):
        return Broken(number, text, f"row: expected an object, found {type(row).__name__}")
    return Found(number, text, row)


def read_table(path: Path, delimiter: str) -> Iterator[Item]:
    r"""Read a table with a header; an empty cell is an absent value.

    delimiter: "," for CSV, whose cells may be quoted, or "\t" for TSV, where a quotation mark is a character like any
    other. Aliases are a JSON list, or names with | between them.
    Raises: DataError if the file can't be read, its header has unknown, repeated or too few columns, or its quoting is
    broken.
    """
    # Strict: else an open quotation mark would swallow the rest of the file into one cell.
    reader = csv.reader(
        (text for _, text in text_lines(path)),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
        strict=True,
    )
    before = 0
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(path, header)
        before = reader.line_num
        for cells in reader:
            number, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                yield _table_row(number, header, cells)
    except csv.Error as error:
        raise DataError(f"{path} line {before + 1}: broken table ({error}); check its quotation marks") from error


def read_titles(path: Path, prefix: str) -> Iterator[Item]:
    """Read a list of titles, one a line; the id of each is prefix + title. Blank lines are no rows.

    Raises: DataError if the file can't be read.
    """
    for number, text in text_lines(path):
        title = text.strip()
        if title:
            yield title_row(number, title, prefix)


def title_row(number: int, title: str, prefix: str) -> Found:
    """The row of a title: its id is prefix + title."""
    return Found(number, title, {"id": prefix + title, "label": title, "title": title})


def _check_columns(where: str, columns: Iterable[str]) -> None:
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise DataError(f"{where}: unknown columns {unknown}; the known ones are {', '.join(COLUMNS)}")


def _check_header(path: Path, header: list[str]) -> None:
    _check_columns(f"{path} line 1", header)
    if len(set(header)) < len(header):
        twice = sorted({column for column in header if header.count(column) > 1})
        raise DataError(f"{path} line 1: the columns {twice} occur more than once")
    if "id" not in header or not set(NAMES) & set(header):
        raise DataError(f"{path} line 1: expected the columns id and label (or name, or title), found {header}")


def _table_row(number: int, header: list[str], cells: list[str]) -> Item:
    text = json.dumps(cells, ensure_ascii=False)
    if len(cells) != len(header):
        return Broken(number, text, f"row: {len(cells)} cells, but the header has {len(header)}")
    row: dict[str, Any] = {column: cell for column, cell in zip(header, cells, strict=True) if cell.strip()}
    try:
        if "aliases" in row:
            row["aliases"] = _aliases(row["aliases"])
    except ValueError as error:
        return Broken(number, text, f"aliases: Invalid JSON: {error}")
    for column, kind in (("popularity", float), ("year", int)):
        if column in row:
            row[column] = _number(row[column], kind)
    return Found(number, text, row)


def _aliases(cell: str) -> Any:
    if cell.lstrip().startswith("["):
        return from_json(cell)
    return [alias.strip() for alias in cell.split("|") if alias.strip()]


def _number(cell: str, kind: type[int] | type[float]) -> int | float | str:
    """The number in a cell, or the cell as it is, which the check of the row then refuses."""
    try:
        return kind(cell)
    except ValueError:
        return cell
