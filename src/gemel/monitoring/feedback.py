"""What people said of the service's answers in a period: feedback.jsonl, docs/service.md."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from gemel.feedback_lines import FEEDBACK
from gemel.monitoring.period import Period


class _Mention(BaseModel):
    mention: str
    start: int | None = None
    entity: str | None = None


class _Line(BaseModel):
    """Of a line of the feedback, what is looked at."""

    text: str
    image: str | None = None
    mentions: Annotated[list[_Mention], Field(min_length=1, max_length=1)]
    time: AwareDatetime
    answered: str | None


@dataclass(frozen=True)
class Feedback:
    """The last words on mentions, of a period. wrong: those whose entity differs from what was answered, NIL being an
    answer. damaged: lines of the whole file that can't be read.
    """

    mentions: int
    wrong: int
    damaged: int


def read_feedback(folder: Path, period: Period, now: datetime) -> Feedback | None:
    """Count the feedback of a period; None if there is no file."""
    try:
        lines = (folder / FEEDBACK).read_bytes().splitlines()
    except FileNotFoundError:
        return None
    differs: dict[tuple[object, ...], bool] = {}
    damaged = 0
    for line in filter(bytes.strip, lines):
        try:
            said = _Line.model_validate_json(line)
        except ValidationError:
            damaged += 1
            continue
        if period.start <= said.time < min(period.until, now):
            (about,) = said.mentions
            differs[said.text, about.mention, about.start, said.image] = about.entity != said.answered
    return Feedback(len(differs), sum(differs.values()), damaged)
