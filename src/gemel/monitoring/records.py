"""The service's records of a period: docs/records.md has the columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.monitoring.period import Period
from gemel.record_columns import RECORD_COLUMNS

# Those of no use here are left out.
COLUMNS: Mapping[str, Any] = {
    name: kind
    for name, kind in RECORD_COLUMNS.items()
    if name not in ("name", "margin", "candidates", "waited_ms", "worked_ms", "together")
}
VECTOR, PICTURE = "image_vector", "picture"
# Two rows that agree in these are one question that was asked again.
QUESTION = ("release", "text_length", "text", "mention", PICTURE, "entity_id", "score", "nil_probability")
POST = ("time", "request_id", "text_length", "text", PICTURE)
_PARTS, _DAY, _KEY_BYTES = "part-*.parquet", "%Y-%m-%d", 16
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Records:
    """What was asked and answered in a period.

    answers: one row a mention, columns of COLUMNS but the vector, and PICTURE, a key of it; of a question that was
    asked again the first. posts: of each post the first of these rows. repeated: rows that were left out as such.
    vectors: of different pictures, (pictures, vision_dim); pictures: how many there were, of which these are a random
    sample. other_widths: vectors of another width than the one wanted.
    skipped: files that can't be used. ahead: rows and files whose time has not come yet.
    """

    answers: pl.DataFrame
    posts: pl.DataFrame
    repeated: int
    vectors: Vectors
    pictures: int
    other_widths: int
    skipped: tuple[Skipped, ...]
    ahead: int

    @property
    def with_texts(self) -> bool:
        """Whether the mentions' strings were recorded."""
        return bool(self.answers["mention"].is_not_null().any())


def read_records(folder: Path, period: Period, now: datetime, *, width: int, most_images: int) -> Records | None:
    """Read the records of a period, file by file; None if there is no folder.

    width: of the vectors wanted. most_images: of the vectors that are kept.
    """
    if not folder.is_dir():
        return None
    parts = [part for day in _days(folder, period) for part in sorted(day.glob(_PARTS))]
    taken: list[pl.DataFrame] = [_no_rows()]
    skipped: list[Skipped] = []
    pictures = _Pictures(width, most_images)
    for part in parts:
        found = _read_part(part, period)
        if isinstance(found, str):
            skipped.append(Skipped(part.relative_to(folder).as_posix(), found))
        else:
            taken.append(pictures.take(found))
    rows = pl.concat(taken)
    known = rows.filter(pl.col("time") <= now)
    answers = known.unique(QUESTION, keep="first", maintain_order=True)
    return Records(
        answers=answers,
        posts=answers.unique(POST, keep="first", maintain_order=True),
        repeated=known.height - answers.height,
        vectors=pictures.sample(),
        pictures=pictures.count,
        other_widths=pictures.other_widths,
        skipped=tuple(skipped),
        ahead=rows.height - known.height + _files_ahead(folder, now),
    )


class _Pictures:
    """A random sample of different vectors, in memory that does not grow with their number.

    Each vector has a key that its hash gives; the sample are those with the least keys.
    """

    def __init__(self, width: int, most: int) -> None:
        self._width, self._most = width, most
        self._keys: set[bytes] = set()
        self._sample: dict[bytes, Vectors] = {}
        self.other_widths = 0

    @property
    def count(self) -> int:
        """How many different ones there were."""
        return len(self._keys)

    def take(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Put the key in place of each vector."""
        widths = rows[VECTOR].list.len()
        fits = (widths == self._width).fill_null(False)
        self.other_widths += int((widths.is_not_null() & ~fits).sum())
        matrix = rows.filter(fits)[VECTOR].explode().to_numpy().reshape(-1, self._width)
        keys = [hashlib.blake2b(vector.tobytes(), digest_size=_KEY_BYTES).digest() for vector in matrix]
        self._keep(keys, matrix)
        every: list[bytes | None] = [None] * rows.height
        for place, key in zip(fits.arg_true().to_list(), keys, strict=True):
            every[place] = key
        return rows.with_columns(pl.Series(PICTURE, every, dtype=pl.Binary)).drop(VECTOR)

    def sample(self) -> Vectors:
        """The vectors of the sample, (pictures, width)."""
        rows = [self._sample[key] for key in sorted(self._sample)]
        return np.array(rows, dtype=np.float32).reshape(-1, self._width)

    def _keep(self, keys: Sequence[bytes], matrix: npt.NDArray[np.float16]) -> None:
        self._keys.update(keys)
        known = self._sample | {key: row.astype(np.float32) for key, row in zip(keys, matrix, strict=True)}
        self._sample = {key: known[key] for key in sorted(known)[: self._most]}


def _days(folder: Path, period: Period) -> list[Path]:
    """The folders of a period's days."""
    first, last = f"{period.start:{_DAY}}", f"{period.until:{_DAY}}"
    return sorted(day for day in folder.iterdir() if day.is_dir() and first <= day.name <= last)


def _files_ahead(folder: Path, now: datetime) -> int:
    today = f"{now:{_DAY}}"
    return sum(len(list(day.glob(_PARTS))) for day in folder.iterdir() if day.is_dir() and day.name > today)


def _read_part(path: Path, period: Period) -> pl.DataFrame | str:
    """The rows of a file that are of the period, or why it can't be used."""
    try:
        rows = pl.scan_parquet(path)
        schema = rows.collect_schema()
        wrong = [name for name, kind in COLUMNS.items() if schema.get(name) != kind]
        if wrong:
            return f"no file of the service's records: column {wrong[0]!r} is {schema.get(wrong[0])}"
        of_period = pl.col("time").is_between(period.start, period.until, closed="left")
        found = rows.select(*COLUMNS).filter(of_period).collect()
    # A flipped bit lets polars panic as well as fail.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return f"can't be read ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
    chances = found.select(pl.col("probability", "nil_probability").is_between(0, 1).all())
    if not all(chances.row(0)):
        return "damaged: it holds a probability that is none"
    return found


def _no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema={name: kind for name, kind in COLUMNS.items() if name != VECTOR} | {PICTURE: pl.Binary})
