"""Words of a text: where they stand, and what of them decides whether they may be a name.

A word is a run of letters, digits and marks; every other visible character is one by itself. In scripts that are
written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character is, so that a name is found inside
a run.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import regex

Hashes = npt.NDArray[np.uint64]

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"[{_UNSPACED}]\p{{M}}*|[[\w\p{{M}}]--[{_UNSPACED}]]+|\S", regex.V1)
# Capital letters, and letters of scripts that have none.
_NAME_LETTER = regex.compile(r"[\p{Lu}\p{Lt}\p{Lo}]")
_QUOTES = str.maketrans("’‘ʼ", "'''")
# A word takes part in the hash of a name by its place: hash = hash * FACTOR + word.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Words:
    """The words of a text, in order: as they stand there, and where each starts and ends, in characters."""

    texts: list[str]
    starts: list[int]
    ends: list[int]

    def __len__(self) -> int:
        return len(self.texts)

    def hashes(self) -> Hashes:
        """A number for each folded word, (words,); equal in one process alone."""
        return np.array([hash(folded(word)) for word in self.texts], dtype=np.int64).view(np.uint64)


def words_of(text: str) -> Words:
    """Split a text."""
    found = [(match.group(), *match.span()) for match in _WORD.finditer(text)]
    texts, starts, ends = (list(column) for column in zip(*found, strict=True)) if found else ([], [], [])
    return Words(texts, starts, ends)


def folded(word: str) -> str:
    """A word without what may differ between two spellings of a name: case, composition, width, the apostrophe."""
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFKC", word).translate(_QUOTES).casefold()


def may_be_name(word: str) -> bool:
    """Whether it has a capital letter, or one of a script without them."""
    return _NAME_LETTER.search(word) is not None


def next_hashes(hashes: Hashes, words: Hashes) -> Hashes:
    """Hashes of sequences that are one word longer. words: the words to add, one each."""
    return hashes * _FACTOR + words
