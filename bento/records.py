"""What was asked and answered, as Parquet files for monitoring: one row a mention, docs/records.md has the columns.

YYYY-MM-DD/part-TIME-PID-N.parquet   by UTC; each file is whole or absent

No request waits for a file or fails for one: rows that can't be written are lost, and counted.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from bento.batcher import Timed
from bento.engine import Linked
from bento.logs import LOGGER
from gemel.core.drafts import whole_file
from gemel.core.schema import Link, Post
from gemel.features.tower import Vectors
from gemel.record_columns import RECORD_COLUMNS

log = logging.getLogger(LOGGER)
Level = Literal["numbers", "texts"]
CONTENT = ("text", "mention")
MAX_BYTES = 2**30
# Of rows for a file. What a slow disk leaves waiting beyond it is lost, so that memory has a bound.
MOST_WAITING = 20
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PART = "part-*.parquet"
Row = dict[str, Any]


class Recorder:
    """Takes answers from any thread and writes them in one of its own. lost: rows that could not be written."""

    def __init__(self, folder: Path, level: Level, rows: int, seconds: float, max_bytes: int = MAX_BYTES) -> None:
        """level: numbers leaves the columns of CONTENT empty. rows: of a file at most, and seconds between two files.
        max_bytes: of the folder; the oldest days go first.
        """
        self._folder, self._level, self._rows, self._seconds, self._most = folder, level, rows, seconds, max_bytes
        self.lost = 0
        self._waiting: list[Row] = []
        self._changed = threading.Condition()
        self._closed = False
        self._numbers = itertools.count()
        self._writer = threading.Thread(target=self._run, name="records", daemon=True)
        self._writer.start()

    def add(self, post: Post, timed: Timed[Linked], request_id: str, vector: Vectors | None = None) -> None:
        """Take the links of a post; this never waits for a disk. vector: of its image, (vision_dim,), where known."""
        facts: Row = {
            "time": datetime.now(UTC),
            "request_id": request_id,
            "release": timed.answer.release,
            "text_length": len(post.text),
            "text": post.text,
            "image_vector": None if vector is None else vector.tolist(),
            "waited_ms": 1_000 * timed.waited,
            "worked_ms": 1_000 * timed.worked,
            "together": timed.together,
        }
        rows = [self._allowed(facts | _link_facts(link)) for link in timed.answer.links]
        with self._changed:
            if self._closed or len(self._waiting) + len(rows) > MOST_WAITING * self._rows:
                self.lost += len(rows)
                return
            self._waiting += rows
            if len(self._waiting) >= self._rows:
                self._changed.notify()

    def close(self) -> None:
        """Write what is left, and take no more. A second call changes nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._writer.join()

    def _allowed(self, row: Row) -> Row:
        return row if self._level == "texts" else row | dict.fromkeys(CONTENT)

    def _run(self) -> None:
        """Write file after file, until there is no more to come."""
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due, timeout=self._seconds)
                rows, self._waiting = self._waiting, []
                closed = self._closed
            for some in _files(rows, self._rows):
                self._write(some)
            if closed:
                return

    def _is_due(self) -> bool:
        return self._closed or len(self._waiting) >= self._rows

    def _write(self, rows: Sequence[Row]) -> None:
        now = datetime.now(UTC)
        day = self._folder / f"{rows[0]['time']:%Y-%m-%d}"
        name = f"part-{now:%Y%m%dT%H%M%S%f}-{os.getpid()}-{next(self._numbers)}.parquet"
        try:
            day.mkdir(parents=True, exist_ok=True)
            with whole_file(day / name) as draft:
                pl.DataFrame(rows, schema=RECORD_COLUMNS).write_parquet(draft, compression="zstd")
            _make_room(self._folder, self._most)
        # Whatever is wrong with a disk or a row: no request may fail for it, and the next file may work.
        except Exception as error:
            if not (day / name).is_file():
                self.lost += len(rows)
            log.error("records", extra={"facts": {"lost": self.lost, "why": str(error)}})


def _link_facts(link: Link) -> Row:
    best = link.best
    return {
        "mention": link.mention.text,
        # Behind the colon stands why, with a path.
        "image": link.image.partition(":")[0],
        "entity_id": best.entity_id,
        "name": best.name,
        "score": best.score,
        "probability": best.probability,
        "margin": best.score - link.candidates[1].score if len(link.candidates) > 1 else None,
        "candidates": len(link.candidates),
        "nil": link.nil,
        "nil_probability": link.nil_probability,
        "sure": link.sure,
    }


def _files(rows: Sequence[Row], most: int) -> Iterator[Sequence[Row]]:
    """The rows of each file: of one day, and at most so many."""
    for _, of_day in itertools.groupby(rows, key=lambda row: row["time"].date()):
        left = list(of_day)
        for start in range(0, len(left), most):
            yield left[start : start + most]


def _make_room(folder: Path, most: int) -> None:
    """Remove the oldest days while all files have more than `most` bytes, and of the last day its oldest files."""
    days = sorted(each for each in folder.iterdir() if _DAY.fullmatch(each.name) and each.is_dir())
    # What a killed process left goes with its day.
    parts = [sorted(day.glob(_PART if day == days[-1] else f"*{_PART}*")) for day in days]
    total = sum(path.stat().st_size for of_day in parts for path in of_day)
    for day, of_day in zip(days, parts, strict=True):
        if total <= most:
            return
        for path in of_day:
            if total <= most and day == days[-1]:
                return
            total -= path.stat().st_size
            path.unlink()
        if day != days[-1]:
            day.rmdir()
