"""Rows in another order, in bounded memory: distributed over files first, then ordered one file at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc

# Files that are open at a time, well below the limit of a process on most systems.
MOST_BUCKETS = 256
BUCKET_ROWS = 65_536
_BUCKET = "bucket"


def bucket_count(rows: int) -> int:
    """Into how many files so many rows are distributed: one is in memory at a time."""
    return max(1, min(MOST_BUCKETS, -(-rows // BUCKET_ROWS)))


def reordered(
    frames: Iterable[pl.DataFrame],
    bucket: pl.Expr,
    order: Callable[[pl.DataFrame], pl.DataFrame],
    folder: Path,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the rows of all frames by bucket, in ascending order, each bucket's brought into its order.

    bucket: a number for each row. order: of a bucket's rows, which come in the order of the frames. folder: an empty
    one, for files that take as much as all the rows and are removed one by one.
    Raises: OSError if the disk is full.
    """
    for number in sorted(_distribute(frames, bucket, folder)):
        path = _place(folder, number)
        with pa.ipc.open_stream(path.open("rb")) as stream:
            frame = pl.from_arrow(stream.read_all())
        path.unlink()
        assert isinstance(frame, pl.DataFrame)
        yield number, order(frame)


def _distribute(frames: Iterable[pl.DataFrame], bucket: pl.Expr, folder: Path) -> set[int]:
    writers: dict[int, Any] = {}
    with ExitStack() as opened:
        for frame in frames:
            parts = frame.with_columns(bucket.alias(_BUCKET)).partition_by(
                _BUCKET, as_dict=True, include_key=False, maintain_order=True
            )
            for (number,), part in parts.items():
                table = part.to_arrow()
                if number not in writers:
                    file = opened.enter_context(_place(folder, number).open("wb"))
                    writers[number] = opened.enter_context(pa.ipc.new_stream(file, table.schema))
                writers[number].write_table(table)
    return set(writers)


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number}.arrows"
