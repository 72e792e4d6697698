"""JSON lines and tables without the rows of some posts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import IO

import polars as pl

from gemel.core.drafts import whole_file
from gemel.core.errors import DataError
from gemel.forgetting.trace import REMOVED, Trace

IDS = ("post_id", "mention_id")
VECTOR = "image_vector"
# Why a row was set aside, for a person; it may name another.
REASON = "reason"


def lines_held(data: bytes, trace: Trace) -> int:
    """How many lines of a JSON-lines file hold a post, or give one as a reason."""
    return sum(_line_without(line, trace) != line for line in _lines(data))


def rewrite_lines(path: Path, trace: Trace) -> None:
    """Write a JSON-lines file anew without the lines that hold a post; all others stay byte for byte, but for reasons
    that quote one.
    """
    kept = [_line_without(line, trace) for line in _lines(path.read_bytes())]
    with whole_file(path) as draft:
        draft.write_bytes("".join(kept).encode("utf-8", "surrogateescape"))


def table_rows_held(source: Path | IO[bytes], trace: Trace) -> int:
    """How many rows of a Parquet file hold a post. Raises: DataError if it can't be read."""
    return int(rows_held(read_table(source), trace).sum())


def rewrite_table(path: Path, trace: Trace) -> None:
    """Write a Parquet file anew without the rows that hold a post. Raises: DataError if it can't be read."""
    table = read_table(path)
    kept = table.filter(~rows_held(table, trace))
    with whole_file(path) as draft:
        kept.write_parquet(draft, compression="zstd")


def read_table(source: Path | IO[bytes]) -> pl.DataFrame:
    """Read a Parquet file. Raises: DataError if it can't be read."""
    try:
        return pl.read_parquet(source)
    except (OSError, pl.exceptions.PolarsError) as error:
        where = source if isinstance(source, Path) else "a version in a cache"
        raise DataError(f"{where}: not a readable parquet file ({error}); restore it, or delete it") from error


def rows_held(table: pl.DataFrame, trace: Trace) -> pl.Series:
    """Which rows hold a post: by their ids where they have some, else by their words, pictures and vectors."""
    named = [name for name in IDS if name in table.columns]
    if named:
        return _any(table, named, lambda column: column.is_in(list(trace.ids)))
    words = [name for name, kind in table.schema.items() if kind == pl.String]
    exact = list(trace.texts | trace.pictures)
    found = _any(table, words, lambda column: column.is_in(exact) | _quoting(column, trace))
    if VECTOR in table.columns and trace.vectors:
        found |= pl.Series([trace.in_vector(each) for each in table[VECTOR].to_list()], dtype=pl.Boolean)
    return found


def is_json_lines(data: bytes) -> bool:
    """Whether the first line is a JSON object by itself."""
    first = data.lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False


def _line_without(line: str, trace: Trace) -> str:
    """A line as it may stay; "" of one that holds a post."""
    if trace.in_line(line):
        return ""
    if not (REASON in line and trace.quoted.search(line)):
        return line
    row = json.loads(line)
    if not (isinstance(row, dict) and isinstance(row.get(REASON), str)):
        return line
    row[REASON] = trace.quoted.sub(REMOVED, row[REASON])
    return json.dumps(row, ensure_ascii=False) + "\n"


def _quoting(column: pl.Series, trace: Trace) -> pl.Series:
    """Which values are rows of JSON that hold a post, as the table of rejected rows has them."""
    rows = column.str.starts_with("{").fill_null(False)
    if not rows.any():
        return rows
    return pl.Series([is_row and trace.in_line(value) for value, is_row in zip(column, rows, strict=True)])


def _any(table: pl.DataFrame, names: list[str], held: Callable[[pl.Series], pl.Series]) -> pl.Series:
    found = pl.repeat(False, table.height, dtype=pl.Boolean, eager=True)
    for name in names:
        found |= held(table[name]).fill_null(False)
    return found


def _lines(data: bytes) -> list[str]:
    # A value may hold what str.splitlines takes for the end of a line.
    *whole, last = data.split(b"\n")
    parts = [part + b"\n" for part in whole] + ([last] if last else [])
    return [part.decode("utf-8", "surrogateescape") for part in parts]
