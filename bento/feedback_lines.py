"""What of the lines of feedback.jsonl counts: the last word on each mention."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from gemel.feedback_lines import FeedbackLine
from gemel.line_file import Place


@dataclass(frozen=True)
class Word:
    """What was said of a mention. place: of its line. solved: whether it names an entity."""

    id: str
    place: Place
    solved: bool


@dataclass
class Words:
    """All that was said. ids: of all lines. images: bytes by SHA-256. solved_bytes, image_bytes: of the last words that
    name an entity, and of all images.
    """

    ids: set[str] = field(default_factory=set)
    images: dict[str, int] = field(default_factory=dict)
    solved_bytes: int = 0
    image_bytes: int = 0
    _last: dict[bytes, Word] = field(default_factory=dict)

    def take(self, line: FeedbackLine, place: Place) -> None:
        """Count a line in, behind all others."""
        word = Word(line.id, place, line.mention.entity is not None)
        former = self._last.pop(_asked(line), None)
        self._last[_asked(line)] = word
        self.solved_bytes += _length(word) - _length(former)
        self.ids.add(line.id)
        if line.image_sha256 is not None and line.image_sha256 not in self.images:
            self.images[line.image_sha256] = line.image_bytes
            self.image_bytes += line.image_bytes

    def last(self, line: FeedbackLine) -> Word | None:
        """The last word on the mention of a line."""
        return self._last.get(_asked(line))

    def solved(self) -> list[Place]:
        """Where the last words lie that name an entity, in the order of their coming."""
        return [word.place for word in self._last.values() if word.solved]


def _length(word: Word | None) -> int:
    return word.place.length if word is not None and word.solved else 0


def _asked(line: FeedbackLine) -> bytes:
    return hashlib.sha256(json.dumps(line.asked).encode()).digest()
