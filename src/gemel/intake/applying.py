"""A batch comes into a data set's folder. Twice is once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from gemel.core.artifacts import file_sha256
from gemel.core.drafts import whole_file
from gemel.core.errors import DataError
from gemel.core.images import read_bytes
from gemel.intake.batch import Batch
from gemel.intake.candidates import Picture
from gemel.posts.data_folder import json_line
from gemel.posts.dataset import ENTITIES, POSTS

AGAIN = "gather the batch again"


def apply(batch: Batch, data_set: Path) -> None:
    """Bring a batch into a data set: images first, then entities, then posts, each file whole or not at all.

    Files are replaced and never written into: they may be links into DVC's cache. What is there already stays.
    data_set: its folder.
    Raises: DataError if a row of the same id is there with other content, or an image was changed since it was looked
    at; OSError if something can't be written.
    """
    for picture in batch.images:
        _put_image(picture, data_set)
    _add_rows(data_set / ENTITIES, [each.line_content for each in batch.entities], gone=())
    _add_rows(data_set / POSTS, [each.line_content for each in batch.rows], gone=batch.replaced)


def _put_image(picture: Picture, data_set: Path) -> None:
    target = data_set / picture.name
    if target.is_file() and file_sha256(target) == picture.sha256:
        return
    content = read_bytes(picture.path)
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise DataError(f"{picture.path}: changed since it was looked at; {AGAIN}")
    target.parent.mkdir(exist_ok=True)
    with whole_file(target) as draft:
        draft.write_bytes(content)


def _add_rows(path: Path, rows: Sequence[Mapping[str, Any]], gone: Iterable[str]) -> None:
    """Append those rows that are not there, and leave out those that are gone."""
    wanted, left_out = {row["id"]: row for row in rows}, set(gone)
    there = _rows_of(path, wanted.keys() | left_out) if wanted or left_out else {}
    for id_ in wanted.keys() & there.keys():
        if there[id_] != wanted[id_]:
            raise DataError(f"{path}: {id_!r} is there with other content; {AGAIN}")
    new = [row for id_, row in wanted.items() if id_ not in there]
    if not new and not left_out & there.keys():
        # What is not replaced stays the link that it may be.
        return
    with whole_file(path) as draft, path.open("rb") as former, draft.open("wb") as file:
        for line in former:
            if not left_out or _row(line).get("id") not in left_out:
                file.write(line if line.endswith(b"\n") else line + b"\n")
        file.write("".join(map(json_line, new)).encode("utf-8", "replace"))


def _rows_of(path: Path, ids: AbstractSet[str]) -> dict[str, dict[str, Any]]:
    with path.open("rb") as file:
        return {row["id"]: row for row in map(_row, file) if row.get("id") in ids}


def _row(line: bytes) -> dict[str, Any]:
    """The row of a line; none where it isn't one, which the stage posts says."""
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
