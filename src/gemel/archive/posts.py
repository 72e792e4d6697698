"""Posts in Parquet files: their columns, and any slice of their rows, numbered through over all files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from gemel.core.errors import DataError, RequestError
from gemel.core.schema import Post
from gemel.posts.requests import RefusedLine, parse_request

MENTION: dict[str, Any] = {
    "mention": pl.String,
    "start": pl.Int64,
    "end": pl.Int64,
    "candidates": pl.List(pl.String),
    "type": pl.String,
}
# row: counted from 0 over all files, in the order of their names.
POSTS: dict[str, Any] = {
    "row": pl.Int64,
    "post_id": pl.String,
    "text": pl.String,
    "image": pl.String,
    "mentions": pl.List(pl.Struct(MENTION)),
}
IDS = ("post_id", "id")
# Read at a time where all are: each reading decodes a row group of the file from its beginning.
BLOCK = 65_536


@dataclass(frozen=True)
class PostsFile:
    """A Parquet file of posts as it was when it was looked at.

    first: the place of its first post among those of all files. grouped: whether it is a copy whose posts stand in
    another order, and have the number of their row in the archive beside them.
    """

    path: Path
    posts: int
    first: int
    bytes: int
    modified_ns: int
    grouped: bool = False

    def read(self, start: int, stop: int) -> pl.DataFrame:
        """Its posts from place start up to stop, counted over all files, with the columns of POSTS.

        Raises: DataError if the file changed since, or can't be read.
        """
        if stamp_of(self.path) != (self.bytes, self.modified_ns):
            raise DataError(f"{self.path}: changed while it was linked; link the archive into another folder")
        try:
            lazy = pl.scan_parquet(self.path)
            rows = lazy.slice(start - self.first, stop - start)
            if self.grouped:
                return rows.select(*POSTS).collect()
            frame = rows.select(_selection(lazy.collect_schema())).collect()
        except (PolarsError, OSError) as error:
            raise DataError(f"{self.path}: can't be read as Parquet ({_line(error)}); write it anew") from error
        numbers = pl.int_range(start, start + frame.height, dtype=pl.Int64, eager=True)
        return frame.insert_column(0, numbers.alias("row"))


@dataclass(frozen=True)
class ArchivePosts:
    """The posts of some files, one after the other."""

    files: tuple[PostsFile, ...]

    def __len__(self) -> int:
        return sum(file.posts for file in self.files)

    def slice(self, start: int, stop: int) -> pl.DataFrame:
        """The posts from place start up to stop, columns of POSTS. Raises: DataError as PostsFile.read."""
        parts = [
            file.read(max(start, file.first), min(stop, file.first + file.posts))
            for file in self.files
            if file.first < stop and start < file.first + file.posts
        ]
        return pl.concat([pl.DataFrame(schema=POSTS), *parts])

    def slices(self, size: int) -> Iterator[pl.DataFrame]:
        """All posts, size at a time."""
        block = max(1, BLOCK // size) * size
        for start in range(0, len(self), block):
            frame = self.slice(start, min(start + block, len(self)))
            yield from (frame.slice(offset, size) for offset in range(0, frame.height, size))


def open_posts(paths: Sequence[Path], *, grouped: bool = False) -> ArchivePosts:
    """Open files of posts after a look at their columns; places are counted in the order of the files.

    Raises: DataError, naming file and column, if one is no Parquet file or its columns are not those of posts.
    """
    counts = [_count(path) for path in paths]
    firsts = accumulate(counts, initial=0)
    files = zip(paths, counts, firsts, strict=False)
    return ArchivePosts(tuple(PostsFile(path, count, first, *stamp_of(path), grouped) for path, count, first in files))


def find_parquet(source: Path) -> list[Path]:
    """The Parquet files of a folder and those below it, by name; or the one file itself. Hidden ones are left out.

    Raises: DataError if there is none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder; give a Parquet file of posts, or a folder of them")
    hidden = (".", "_")
    found = sorted(
        path
        for path in source.rglob("*.parquet")
        if not any(part.startswith(hidden) for part in path.relative_to(source).parts)
    )
    if not found:
        raise DataError(f"{source}: holds no .parquet file; give a Parquet file of posts, or a folder of them")
    return found


def as_request(row: dict[str, Any], images: Path) -> Post | RefusedLine:
    """A row of POSTS as a post to link; what can't be used, as `gemel link` has it. images: where paths start from."""
    name = f"row {row['row']}" if row["post_id"] is None else row["post_id"]
    try:
        return parse_request(row, name, images)
    except RequestError as error:
        return RefusedLine(name, f"row {row['row']}: {error}")


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change, by which a file is known again while a run lasts. Raises: DataError if it is gone."""
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); bring it back, and start again") from error
    return found.st_size, found.st_mtime_ns


def _count(path: Path) -> int:
    try:
        lazy = pl.scan_parquet(path)
        schema = lazy.collect_schema()
        count = int(lazy.select(pl.len()).collect().item())
    except (PolarsError, OSError) as error:
        raise DataError(f"{path}: can't be read as Parquet ({_line(error)}); write it anew") from error
    _check_columns(path, schema)
    return count


def _check_columns(path: Path, schema: pl.Schema) -> None:
    """Raises: DataError if a column is missing or of another type."""
    if "mentions" not in schema or "text" not in schema:
        missing = "text" if "text" not in schema else "mentions"
        raise DataError(f"{path}: no column {missing!r}, found {', '.join(schema)}; posts need text and mentions")
    for name in ("text", "image"):
        if name in schema and not _is_text(schema[name]):
            raise _wrong(path, name, "text", schema[name])
    for name in IDS:
        if name in schema and not (_is_text(schema[name]) or schema[name].is_integer()):
            raise _wrong(path, name, "text or whole numbers", schema[name])
    _check_mentions(path, schema["mentions"])


def _check_mentions(path: Path, found: pl.DataType) -> None:
    wanted = "a list of texts, or of structs with a mention"
    inner = found.inner if isinstance(found, pl.List) else None
    if inner is not None and _is_text(inner):
        return
    if not isinstance(inner, pl.Struct) or "mention" not in _fields(inner):
        raise _wrong(path, "mentions", wanted, found)
    fields = _fields(inner)
    for name in ("mention", "type"):
        if name in fields and not _is_text(fields[name]):
            raise _wrong(path, f"mentions.{name}", "text", fields[name])
    for name in ("start", "end"):
        if name in fields and not (fields[name].is_integer() or fields[name] == pl.Null):
            raise _wrong(path, f"mentions.{name}", "whole numbers", fields[name])
    choice = fields.get("candidates", pl.Null())
    if choice != pl.Null and not (isinstance(choice, pl.List) and _is_text(choice.inner)):
        raise _wrong(path, "mentions.candidates", "a list of texts", choice)


def _wrong(path: Path, column: str, wanted: str, found: object) -> DataError:
    return DataError(f"{path}: column {column!r}: expected {wanted}, found {found}; cast it where the file is written")


def _selection(schema: pl.Schema) -> list[pl.Expr]:
    """The columns of POSTS, as far as a file of this schema has them."""
    known = next((name for name in IDS if name in schema), None)
    return [
        (pl.lit(None) if known is None else pl.col(known)).cast(pl.String).alias("post_id"),
        pl.col("text").cast(pl.String),
        (pl.col("image") if "image" in schema else pl.lit(None)).cast(pl.String).alias("image"),
        _mentions(schema["mentions"]),
    ]


def _mentions(found: pl.DataType) -> pl.Expr:
    """The mentions with all fields of MENTION; those that the file lacks are null."""
    assert isinstance(found, pl.List)
    inner, each = found.inner, pl.element()
    given = {name: each.struct.field(name) for name in MENTION if name in _fields(inner)} or {"mention": each}
    fields = [given.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in MENTION.items()]
    return pl.col("mentions").list.eval(pl.struct(fields))


def _fields(kind: Any) -> dict[str, Any]:
    return {field.name: field.dtype for field in kind.fields} if isinstance(kind, pl.Struct) else {}


def _is_text(kind: object) -> bool:
    return isinstance(kind, (pl.String, pl.Categorical, pl.Enum, pl.Null))


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
