"""What tells a post wherever it lies: ids, its words, its picture."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

ID_KEYS = ("post_id", "mention_id", "id", "post")
REMOVED = "[forgotten]"
# Characters. Pages cut long values off; shorter words than SHORTEST stand in pages for many other reasons.
CUT, SHORTEST = 100, 12


@dataclass(frozen=True, eq=False)
class Trace:
    """What to look for.

    ids: of the posts, of their mentions, and of corrections and feedback of the same words. texts: of the posts.
    pictures, objects: SHA-256 and MD5 of images that no other post shows; sizes: of their files, bytes. vectors: of
    these images, (width,), float32.
    """

    ids: frozenset[str]
    texts: frozenset[str]
    pictures: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    sizes: frozenset[int] = frozenset()
    vectors: tuple[Vectors, ...] = field(default=(), repr=False)

    def in_row(self, row: Mapping[str, object]) -> bool:
        """Whether a row is one of the posts', or quotes one. A row with its own id and words is another post."""
        own = [each for key in ID_KEYS if isinstance(each := row.get(key), str)]
        if any(each in self.ids for each in own):
            return True
        if own and "text" in row:
            return False
        return any(map(self.in_value, row.values()))

    def in_value(self, value: object) -> bool:
        """Whether a JSON value holds a post: in its words, or as the SHA-256 of its picture."""
        if isinstance(value, Mapping):
            return self.in_row(value)
        if isinstance(value, list):
            return any(map(self.in_value, value))
        if not isinstance(value, str):
            return False
        return value in self.texts or value in self.pictures or (value[:1] in ("{", "[") and self._in_json(value))

    def in_line(self, line: str) -> bool:
        """Whether a line of a JSON-lines file holds a post; a torn one is looked at as words."""
        try:
            return self.in_value(json.loads(line))
        except ValueError:
            return self.quoted.search(line) is not None

    def in_vector(self, vector: object) -> bool:
        """Whether a vector is that of one of the pictures, up to half precision."""
        if vector is None:
            return False
        given = np.asarray(vector, np.float32)
        # The batch that an image is encoded in may change the last digits, and the records keep three.
        return any(own.shape == given.shape and np.allclose(own, given, rtol=5e-3, atol=2e-3) for own in self.vectors)

    @cached_property
    def quoted(self) -> re.Pattern[str]:
        """Finds ids, words and the names of pictures in a page or another file for people, as these write them."""
        words = {form for text in self.texts for form in _written(text)} | self.pictures
        return re.compile("|".join([*_plain(words), *_ids(self.ids), r"(?!)"]))

    def _in_json(self, value: str) -> bool:
        try:
            return self.in_value(json.loads(value))
        except ValueError:
            return False


def _written(text: str) -> Iterable[str]:
    """A text as JSON, Python and HTML write it, whole and cut off."""
    for shown in dict.fromkeys((text, text[:CUT])):
        for plain in (shown, json.dumps(shown)[1:-1], json.dumps(shown, ensure_ascii=False)[1:-1], repr(shown)[1:-1]):
            once = html.escape(plain)
            yield from (plain, html.escape(plain, quote=False), once, html.escape(once))


def _plain(words: Iterable[str]) -> Iterable[str]:
    for each in sorted(words, key=len, reverse=True):
        yield re.escape(each) if len(each) >= SHORTEST else _between_quotes(each)


def _ids(ids: Iterable[str]) -> Iterable[str]:
    for each in sorted(ids, key=len, reverse=True):
        # A number may be any count of a page.
        yield _between_quotes(each) if each.isdigit() else rf"(?<![\w.-]){re.escape(each)}(?![\w-])"


def _between_quotes(each: str) -> str:
    return rf"""(?<=["'>;]){re.escape(each)}(?=["'<&])"""
