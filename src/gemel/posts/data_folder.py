"""How imports write a data set's folder: JSON and JSON lines, whole or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gemel.core.drafts import draft_beside
from gemel.core.errors import DataError
from gemel.posts.dataset import FACTS


@contextlib.contextmanager
def data_draft(target: Path) -> Iterator[Path]:
    """Give a draft of a data set's folder, as draft_beside.

    Raises: DataError if the target is something else than a data set, which an import must not replace, or if
    something can't be written.
    """
    if holds_something(target) and not (target / FACTS).is_file():
        raise DataError(f"{target}: exists and is no data set (it has no {FACTS}); move it away or import elsewhere")
    try:
        with draft_beside(target) as draft:
            yield draft
    except OSError as error:
        raise DataError(f"{target}: the import could not be written ({error})") from error


def holds_something(target: Path) -> bool:
    """Whether there is anything but an empty folder."""
    return target.exists() and not (target.is_dir() and not any(target.iterdir()))


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what a data set states of itself."""
    content = json.dumps(facts, indent=1, ensure_ascii=False)
    (folder / FACTS).write_text(content + "\n", encoding="utf-8")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines."""
    with opened_lines(path) as file:
        file.writelines(json_line(row) for row in rows)


def opened_lines(path: Path) -> Any:
    """Open a file for JSON lines, whose line ends are the same on every system."""
    return path.open("w", encoding="utf-8", newline="\n")


def json_line(row: Mapping[str, Any]) -> str:
    """One line of JSON lines, with its end."""
    return json.dumps(row, ensure_ascii=False) + "\n"
