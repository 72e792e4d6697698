"""Batches of prompts: rows of the cache that are searched together under a budget of tokens."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from gemel.entities.trie import IntArray
from gemel.llm.segments import Prompt

# Room for generated tokens that a mention's beams are given at first; the cache grows where it doesn't suffice.
SLOTS_PER_BEAM = 16


@dataclass(frozen=True)
class Row:
    """Mentions that share one row of the cache: their context, then the query of each.

    mentions: the caller's indices. context_length: positions. query_lengths: positions of each mention's query.
    """

    mentions: tuple[int, ...]
    prompts: tuple[Prompt, ...]
    context_length: int
    query_lengths: tuple[int, ...]

    @cached_property
    def width(self) -> int:
        """Positions of the context and of all queries."""
        return self.context_length + sum(self.query_lengths)

    @property
    def context_key(self) -> Hashable:
        """Of the prompts; None, too, where there is no context."""
        return self.prompts[0].context_key if self.context_length else None

    def halves(self) -> tuple[Row, Row]:
        """Two rows with half of the mentions each."""
        middle = len(self.mentions) // 2
        first, second = (
            Row(self.mentions[part], self.prompts[part], self.context_length, self.query_lengths[part])
            for part in (slice(middle), slice(middle, None))
        )
        return first, second


def make_rows(prompts: Sequence[Prompt]) -> list[Row]:
    """Put mentions that share a context into one row, and every other one into a row of its own.

    A row's queries together are no longer than its context, so that what they can't see of each other costs little.
    """
    sharing: dict[int, list[int]] = {}
    for mention, prompt in enumerate(prompts):
        sharing.setdefault(id(prompt.context), []).append(mention)
    rows = []
    for mentions in sharing.values():
        context_length = prompts[mentions[0]].context_length
        lengths = [prompts[mention].query_length for mention in mentions]
        for part in _parts(lengths, context_length):
            of_part = tuple(mentions[part])
            taken = tuple(prompts[mention] for mention in of_part)
            rows.append(Row(of_part, taken, context_length, tuple(lengths[part])))
    return rows


def make_batches(rows: Sequence[Row], num_beams: int, tokens_at_once: int) -> Iterator[list[Row]]:
    """Put rows of like shape together, as many as the budget allows, but at least one.

    Rows of one mention come alone, those of two or three, of four to seven, and so on: in each forward pass a row takes
    as many positions as the one with the most.
    tokens_at_once: positions of the cache, padding and room for generated tokens included.
    """
    for _, alike in groupby(sorted(rows, key=_shape), key=lambda row: _shape(row)[0]):
        batch: list[Row] = []
        width = 0
        for row in alike:
            needed = row.width + SLOTS_PER_BEAM * num_beams * len(row.mentions)
            if batch and max(width, needed) * (len(batch) + 1) > tokens_at_once:
                yield batch
                batch, width = [], 0
            batch.append(row)
            width = max(width, needed)
        yield batch


def _shape(row: Row) -> tuple[int, int]:
    return len(row.mentions).bit_length(), row.width


def prompt_lengths(rows: Sequence[Row]) -> IntArray:
    """Positions of each mention's prompt, (mentions,), in the order of the rows."""
    return np.array([row.context_length + length for row in rows for length in row.query_lengths])


def _parts(lengths: Sequence[int], most: int) -> Iterator[slice]:
    """Cut a list into stretches whose sum is at most `most`, or which have a single element."""
    start, total = 0, 0
    for place, length in enumerate(lengths):
        if place > start and total + length > most:
            yield slice(start, place)
            start, total = place, 0
        total += length
    yield slice(start, len(lengths))
