"""How well known entities are: `popularity.tsv` of a data set, such as a year's page views.

One pair a line, `id<TAB>count`, UTF-8, without a header. It takes the place of the popularity that entities.jsonl
states; an entity that it leaves out has none.
"""

from __future__ import annotations

import math
from pathlib import Path

from gemel.core.errors import DataError
from gemel.posts.source_lines import text_lines

POPULARITY = "popularity.tsv"


def read_popularity(path: Path) -> dict[str, float]:
    """Read the count of each id.

    Raises: DataError, naming the file and the line, if a line isn't such a pair or an id is there twice.
    """
    counts: dict[str, float] = {}
    for number, text in text_lines(path):
        if not text.strip():
            continue
        entity_id, *rest = (cell.strip() for cell in text.split("\t"))
        count = _count(rest[0]) if len(rest) == 1 and entity_id else None
        if count is None:
            raise DataError(
                f"{path} line {number}: expected an id and a count of at least 0 with a tab between, found {text!r}"
            )
        if entity_id in counts:
            raise DataError(f"{path} line {number}: {entity_id!r} is there twice; keep one of its counts")
        counts[entity_id] = count
    return counts


def _count(text: str) -> float | None:
    try:
        count = float(text)
    except ValueError:
        return None
    return count if math.isfinite(count) and count >= 0 else None
