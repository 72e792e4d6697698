"""Entities by the first letters of a name, for who types one: the best known of those that begin so."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

IntArray = npt.NDArray[np.integer[Any]]

# Ends a spelling. It sorts before every other character, as the end of a string does.
END = "\0"
# A word begins behind white space or ASCII punctuation.
_BREAK = r" -/:-@\[-`{-~"
_REST = rf"^[^{_BREAK}]*[{_BREAK}]+([^{_BREAK}].*)$"
_WHITE_SPACE = r"[\s\x00\x1c-\x1f]+"
# Words behind the first by which a spelling is found. A sentence that came as an alias would fill the index.
LATER_WORDS = 16
# Places whose least rank is kept.
BLOCK = 256


def fold(text: str) -> str:
    """As prefixes and spellings are compared: NFKC, case folded, one blank for white space, none at the ends."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.replace(END, " ").split())


@dataclass(frozen=True)
class SortedStarts:
    """Places in the text of all spellings, in the order of what stands there up to the spelling's end.

    offsets: bytes from the beginning of that text, (starts,). ranks: of the entities, 0 for the best known, (starts,).
    least: the least rank of each whole block of BLOCK places, (starts // BLOCK,).
    """

    offsets: IntArray
    ranks: IntArray
    least: IntArray

    @classmethod
    def of(cls, offsets: IntArray, ranks: IntArray) -> SortedStarts:
        """offsets: sorted already."""
        whole = len(ranks) // BLOCK * BLOCK
        return cls(offsets, ranks, ranks[:whole].reshape(-1, BLOCK).min(axis=1))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.offsets.nbytes + self.ranks.nbytes + self.least.nbytes

    def best(self, text: bytes, prefix: bytes, limit: int) -> IntArray:
        """The least ranks of entities with a place that begins so, ascending, each once, at most limit."""
        places = range(len(self.offsets))

        def beginning(place: int) -> bytes:
            offset = int(self.offsets[place])
            return text[offset : offset + len(prefix)]

        low = bisect_left(places, prefix, key=beginning)
        high = bisect_right(places, prefix, lo=low, key=beginning)
        most = limit
        # An entity may be there by several spellings.
        while len(found := np.unique(self._least(low, high, most))) < limit and most < high - low:
            most *= 4
        return found[:limit]

    def _least(self, low: int, high: int, most: int) -> IntArray:
        """The `most` least ranks of a range of places, with repeats, in no order."""
        first, last = -(-low // BLOCK), high // BLOCK
        if last - first <= most:
            return _smallest(self.ranks[low:high], most)
        # As many blocks as ranks are wanted hold them all: each of these has one that is no greater than any elsewhere.
        blocks = first + np.argpartition(self.least[first:last], most - 1)[:most]
        inside = self.ranks[: len(self.least) * BLOCK].reshape(-1, BLOCK)[blocks].ravel()
        outside = (self.ranks[low : first * BLOCK], self.ranks[last * BLOCK : high])
        return _smallest(np.concatenate([inside, *outside]), most)


@dataclass(frozen=True)
class PrefixIndex:
    """The spellings of a catalog's entities: names, labels and aliases.

    text: all spellings, folded, each with an END, UTF-8. beginnings: where they begin. later: where their later words
    do. order: catalog indices of all entities, the best known first, (entities,).
    """

    text: bytes
    beginnings: SortedStarts
    later: SortedStarts
    order: IntArray

    @classmethod
    def of(cls, table: pl.DataFrame) -> PrefixIndex:
        """table: columns as Catalog.table."""
        popularity = table["popularity"].fill_null(0.0).to_numpy()
        order = np.argsort(-popularity, kind="stable").astype(np.int32)
        ranks = np.empty_like(order)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        spellings = _spellings(table)
        of_spelling, lengths = ranks[spellings["entity"].to_numpy()], spellings["text"].str.len_bytes().to_numpy()
        ends = np.cumsum(lengths.astype(np.int64) + len(END)) - len(END)
        text = (spellings["text"] + END).str.join("").item().encode()
        offset_type = np.min_scalar_type(len(text))
        later = _later_words(spellings.select("text", end=ends, rank=of_spelling))
        return cls(
            text,
            SortedStarts.of((ends - lengths).astype(offset_type), of_spelling),
            SortedStarts.of(later["start"].to_numpy().astype(offset_type), later["rank"].to_numpy().copy()),
            order,
        )

    @property
    def nbytes(self) -> int:
        """Bytes that the index takes."""
        return len(self.text) + self.beginnings.nbytes + self.later.nbytes + self.order.nbytes

    def find(self, prefix: str, limit: int) -> tuple[int, ...]:
        """Catalog indices of entities one of whose spellings begins so, each once, at most limit.

        Those with a spelling that itself begins so come first, then those with one whose later word does; in each of
        the two the best known first, ties in catalog order. An empty prefix: the best known of all.
        """
        # A lone surrogate, which no spelling has, must not be taken for another character.
        wanted = fold(prefix).encode("utf-8", "surrogatepass")
        if limit < 1 or not wanted:
            return tuple(self.order[: max(limit, 0)].tolist())
        first = self.beginnings.best(self.text, wanted, limit)
        if len(first) < limit:
            second = self.later.best(self.text, wanted, limit)
            first = np.concatenate([first, second[~np.isin(second, first)]])
        return tuple(self.order[first[:limit]].tolist())


def _spellings(table: pl.DataFrame) -> pl.DataFrame:
    """Columns entity (its index) and text, folded; sorted by text, each pair once."""
    numbered = table.select("name", "label", "aliases").with_row_index("entity")
    columns = [numbered.select("entity", text=column) for column in ("name", "label")]
    every = pl.concat([*columns, numbered.select("entity", text="aliases").explode("text")]).drop_nulls()
    plain = every["text"].str.len_bytes() == every["text"].str.len_chars()
    ascii_text = pl.col("text").str.to_lowercase().str.replace_all(_WHITE_SPACE, " ").str.strip_chars(" ")
    other = every.filter(~plain)
    folded = pl.Series("text", [fold(text) for text in other["text"]], dtype=pl.String)
    both = pl.concat([every.filter(plain).with_columns(ascii_text), other.with_columns(folded)])
    return both.filter(pl.col("text") != "").unique().sort("text", "entity")


def _later_words(spellings: pl.DataFrame) -> pl.DataFrame:
    """Columns start (byte) and rank of the words behind the first, sorted by what follows.

    spellings: columns text, end (byte behind it), rank.
    """
    left, found = spellings, [spellings.clear()]
    for _ in range(LATER_WORDS):
        left = left.with_columns(pl.col("text").str.extract(_REST)).drop_nulls()
        if left.is_empty():
            break
        found.append(left)
    start = pl.col("end") - pl.col("text").str.len_bytes().cast(pl.Int64)
    return pl.concat(found).sort("text").select(start.alias("start"), "rank")


def _smallest(values: IntArray, most: int) -> IntArray:
    return np.partition(values, most - 1)[:most] if most < len(values) else values
