"""The service's corrections as training posts: the last word on each mention."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gemel.core.errors import DataError
from gemel.core.image_files import leaves_folder
from gemel.feedback_lines import FEEDBACK, FeedbackLine
from gemel.intake.candidates import UNREADABLE, Candidate, Finding, Found, Picture, picture_of
from gemel.intake.lines import post_row
from gemel.intake.settings import FEEDBACK_SOURCE
from gemel.line_file import LineFile
from gemel.posts.rows import reason

SHOWN = 2_000  # characters of a line that can't be used


def read_feedback(folder: Path) -> tuple[Found, tuple[Candidate, ...]]:
    """Read the service's folder of corrections; an absent or empty file holds none, and a line torn by a kill is none.

    Returns: the last word on each mention, in the order of their coming; and all words, that later ones replaced too.
    Raises: DataError if the file can't be read.
    """
    last: dict[tuple[object, ...], Candidate] = {}
    said: list[Candidate] = []
    broken: list[Finding] = []
    try:
        lines = LineFile(folder / FEEDBACK).read_on()
    except OSError as error:
        raise DataError(f"{folder / FEEDBACK}: can't be read ({error}); see who may read it") from error
    for number, (_, content) in enumerate(lines, start=1):
        if not content.strip():
            continue
        try:
            line = FeedbackLine.model_validate_json(content)
            candidate = _candidate(folder, number, line)
        except ValueError as error:
            broken.append(_broken(number, content, error))
            continue
        last.pop(line.asked, None)
        last[line.asked] = candidate
        said.append(candidate)
    return Found(tuple(last.values()), tuple(broken)), tuple(said)


def _candidate(folder: Path, number: int, line: FeedbackLine) -> Candidate:
    """Raises: ValueError if the time is none."""
    said = datetime.fromisoformat(line.time)
    moment = (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    # Corrections never grow the frozen sets, whatever a line states.
    row = post_row(line) | {"split": "train"}
    picture, fault = _picture(folder, line)
    return Candidate(
        "post", FEEDBACK_SOURCE, FEEDBACK_SOURCE, number, row, picture, stated=True, fault=fault, said=moment
    )


def _picture(folder: Path, line: FeedbackLine) -> tuple[Picture | None, str | None]:
    if line.image is None:
        return None, None
    if leaves_folder(line.image):
        return None, f"image: {line.image!r} leads out of {folder}"
    picture, fault = picture_of(folder / line.image)
    if picture is not None and picture.sha256 != line.image_sha256:
        return None, f"{folder / line.image}: its SHA-256 is not its name; it was changed"
    return picture, fault


def _broken(number: int, content: bytes, error: ValueError) -> Finding:
    row: dict[str, Any] = {UNREADABLE: content[:SHOWN].decode("utf-8", "replace")}
    why = reason(error) if isinstance(error, ValidationError) else str(error)
    return Finding(Candidate("post", FEEDBACK_SOURCE, FEEDBACK_SOURCE, number, row), "row", why)
