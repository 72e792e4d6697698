"""Mentions by a dictionary: the longest names of the catalog, and strings that solved mentions had, word by word.

A name is kept as one number of 64 bits, the hash of its words, so that millions of names take megabytes; a text is
looked up for all places of a length at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.core.schema import Mention
from gemel.mentions.words import Hashes, Words, folded, may_be_name, next_hashes, words_of

# A longer name is hardly ever written out.
MOST_WORDS = 32
_NAMES_AT_ONCE = 100_000


class DictionaryFinder:
    """Finds names that it was given, on word boundaries, left to right, the longest first, none within another.

    Case is folded, but a name must have a capital letter in the text, or a letter of a script without capitals; so
    "jaguar" is none where "Jaguar" and "JAGUAR" are. As a capital says little at the beginning of a sentence and in a
    title, a single common word is none at all: one that stands in small letters in the solved texts more often than it
    is a mention. Names of one character, or without a letter, are left out.
    """

    def __init__(self, names: Iterable[str], solved: Iterable[tuple[str, str]] = ()) -> None:
        """names: all spellings of all entities. solved: mention and text of solved mentions."""
        pairs = list(solved)
        mentioned = Counter(mention for mention, _ in pairs)
        self._names, self._longest = _packed(chain(mentioned, names))
        self._common = _common_words({text for _, text in pairs}, mentioned)

    @classmethod
    def of(cls, entities: pl.DataFrame, corpus: pl.DataFrame) -> DictionaryFinder:
        """A finder of the names, labels and aliases of a catalog, and of the strings that solved mentions had.

        entities: columns name, label and aliases. corpus: columns mention and text.
        """
        columns = (entities["name"], entities["label"], entities["aliases"].explode())
        names = pl.concat([column.rename("name").drop_nulls() for column in columns]).unique()
        return cls(names, corpus.select("mention", "text").iter_rows())

    def __len__(self) -> int:
        """Number of names, those that differ by case alone counted once."""
        return len(self._names)

    @property
    def nbytes(self) -> int:
        """Memory that the names take."""
        return self._names.nbytes

    def find(self, text: str) -> tuple[Mention, ...]:
        """The mentions of a text, from left to right; it raises nothing."""
        words = words_of(text)
        longest = self._longest_at(words)
        found, place = [], 0
        for start in sorted(longest):
            if start >= place:
                place = start + longest[start]
                first, end = words.starts[start], words.ends[place - 1]
                found.append(Mention(text[first:end], first, end))
        return tuple(found)

    def _longest_at(self, words: Words) -> dict[int, int]:
        """How many words the longest name has that starts at a word, for the words at which one does."""
        found: dict[int, int] = {}
        single = words.hashes()
        hashes, capital = single, np.array([may_be_name(word) for word in words.texts], dtype=np.int64)
        capitals = np.concatenate(([0], np.cumsum(capital)))
        for length in range(1, min(self._longest, len(words)) + 1):
            if length > 1:
                hashes = next_hashes(hashes[:-1], single[length - 1 :])
            named = (capitals[length:] > capitals[:-length]) & _among(self._names, hashes)
            for start in np.flatnonzero(named).tolist():
                if length > 1 or folded(words.texts[start]) not in self._common:
                    found[start] = length
        return found


def _common_words(texts: Iterable[str], mentioned: Counter[str]) -> frozenset[str]:
    """Words that stand in small letters more often than they are mentions, in whatever case."""
    small = Counter(word for text in texts for word in words_of(text).texts if not may_be_name(word))
    as_mention: Counter[str] = Counter()
    for mention, count in mentioned.items():
        as_mention[folded(mention)] += count
    return frozenset(word for word, count in small.items() if count > as_mention[word])


def _packed(names: Iterable[str]) -> tuple[Hashes, int]:
    """The hashes of all names, sorted, and how many words the longest of them has."""
    pieces: list[Hashes] = [np.zeros(0, dtype=np.uint64)]
    longest, rest = 0, iter(names)
    while some := list(islice(rest, _NAMES_AT_ONCE)):
        split = [words for words in map(words_of, some) if _can_be_found(words)]
        if split:
            pieces.append(_hashes_of(split))
            longest = max(longest, *map(len, split))
    return np.unique(np.concatenate(pieces)), longest


def _can_be_found(words: Words) -> bool:
    characters = [character for character in "".join(words.texts) if character.isalnum()]
    return len(words) <= MOST_WORDS and len(characters) > 1 and any(map(str.isalpha, characters))


def _hashes_of(names: list[Words]) -> Hashes:
    """The hash of each name, (names,)."""
    lengths = np.fromiter(map(len, names), dtype=np.int64, count=len(names))
    flat = np.concatenate([words.hashes() for words in names])
    starts = np.cumsum(lengths) - lengths
    hashes: Hashes = flat[starts]
    for place in range(1, int(lengths.max())):
        going_on = np.flatnonzero(lengths > place)
        hashes[going_on] = next_hashes(hashes[going_on], flat[starts[going_on] + place])
    return hashes


def _among(names: Hashes, wanted: Hashes) -> npt.NDArray[np.bool_]:
    if not len(names):
        return np.zeros(len(wanted), dtype=np.bool_)
    found: npt.NDArray[np.bool_] = names[np.minimum(np.searchsorted(names, wanted), len(names) - 1)] == wanted
    return found
