"""The lines of feedback.jsonl, which the service writes and a retraining reads."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gemel.changes.corrections import Correction
from gemel.posts.rows import MentionLine

FEEDBACK = "feedback.jsonl"


class FeedbackLine(Correction):
    """A correction with the facts that a training wants. The entity of its mention is null where the catalog lacks it.

    time: UTC, ISO 8601. release: first digits of the hash of the one in use. answered: the id that it had given.
    image_bytes: of the image; 0 without one.
    """

    mentions: Annotated[list[MentionLine], Field(min_length=1, max_length=1)]  # type: ignore[assignment]
    time: str
    release: str
    answered: str | None
    comment: str
    request_id: str
    image_bytes: int
