"""What finds mentions: text in, spans out."""

from __future__ import annotations

from typing import Protocol

from gemel.core.schema import Mention


class MentionFinder(Protocol):
    """Finds the mentions of a text."""

    def find(self, text: str) -> tuple[Mention, ...]:
        """The mentions of a text, from left to right, none within another, each with its offsets.

        Raises: RequestError if the text is one that the finder can't read.
        """
        ...
