"""Corrections as the service keeps them, and what the intake makes of them; for benchmarks.poison."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gemel.changes.corrections import correction_row
from gemel.core.schema import Post

DAYS = 28


@dataclass(frozen=True)
class Said:
    """A correction of a post's one mention. entity: what somebody says that it is; real: what it is."""

    post: Post
    entity: str
    real: str


def write_feedback(said: Sequence[Said], folder: Path, rng: random.Random) -> list[dict[str, Any]]:
    """Write feedback.jsonl with its images, said over some weeks. Returns: its rows."""
    (folder / "images").mkdir(parents=True)
    start = datetime.now(UTC) - timedelta(days=DAYS + 1)
    times = sorted(start + timedelta(days=DAYS * rng.random()) for _ in said)
    rows = [_row(each, when, folder) for each, when in zip(said, times, strict=True)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "feedback.jsonl").write_text(text, encoding="utf-8")
    return rows


def _row(each: Said, when: datetime, folder: Path) -> dict[str, Any]:
    post, image, size = each.post, None, 0
    if post.image is not None:
        picture = post.image.read_bytes()
        image, size = f"images/{hashlib.sha256(picture).hexdigest()}{post.image.suffix}", len(picture)
        (folder / image).write_bytes(picture)
    row = correction_row(post.text, replace(post.mentions[0], entity_id=each.entity), image, post.post_id)
    facts = {"release": "0" * 16, "answered": None, "comment": "", "request_id": "", "image_bytes": size}
    return row | facts | {"time": when.isoformat(timespec="seconds")}


def kept_out(root: Path, data: Path, dataset: str) -> dict[str, set[str]] | None:
    """The texts that the intake keeps out of a project's feedback, and those that it puts off; None without an intake.

    root: the folder with .gemel/feedback. data: the folder of data sets.
    """
    if importlib.util.find_spec("gemel.intake") is None:
        return None
    from gemel.intake.batch import gather
    from gemel.intake.settings import IntakeSettings

    batch = gather(root, data, dataset, IntakeSettings())
    came_in = {each.row["text"] for each in batch.rows}
    out = {each.candidate.row["text"] for each in (*batch.quarantined, *batch.rejected)} - came_in
    lines = (root / ".gemel/feedback/feedback.jsonl").read_text(encoding="utf-8").splitlines()
    return {"kept out": out, "put off": {json.loads(line)["text"] for line in lines} - came_in - out}
