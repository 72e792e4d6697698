"""Packing names into a trie, level by level.

Names are kept in the order of the nodes that they have reached. So the names below one node lie together, a level can
be numbered in blocks, and the memory that it takes is little more than that of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from gemel.core.errors import DataError
from gemel.entities.trie import WORD, BoolArray, IntArray, PackedTrie

# Names that are sorted at once; those below one node are never parted.
NAMES_AT_ONCE = 2**20
MOST_NODES_A_BLOCK = 64
_MOST_TOKENS = int(np.iinfo(np.int16).max) - 1


@dataclass(frozen=True)
class NameTokens:
    """Token ids of names, without an end-of-sequence token.

    token_ids: of one name after the other, (tokens,). lengths: tokens of each name, (names,).
    """

    token_ids: IntArray
    lengths: IntArray

    @classmethod
    def of(cls, names: Sequence[Sequence[int]]) -> NameTokens:
        """Lay names out flat, token ids in the narrowest type of a trie that holds them."""
        lengths = np.fromiter(map(len, names), dtype=np.int32, count=len(names))
        count = int(lengths.sum(dtype=np.int64))
        return cls(_narrowed(np.fromiter(chain.from_iterable(names), dtype=np.int64, count=count)), lengths)

    @classmethod
    def joined(cls, pieces: Sequence[NameTokens]) -> NameTokens:
        """The names of all pieces."""
        return cls(
            np.concatenate([np.zeros(0, dtype=np.uint16), *(piece.token_ids for piece in pieces)]),
            np.concatenate([np.zeros(0, dtype=np.int32), *(piece.lengths for piece in pieces)]),
        )

    def to_lists(self) -> list[list[int]]:
        """The token ids of each name."""
        return [ids.tolist() for ids in np.split(self.token_ids, np.cumsum(self.lengths)[:-1])]


def build_trie(names: NameTokens | Sequence[Sequence[int]], owners: IntArray | None = None) -> PackedTrie:
    """Pack names into a trie; its `names` points into their sequence.

    owners: see PackedTrie.
    Raises: DataError if there are no names, or a name has no tokens, too many, an impossible one, or another's tokens.
    """
    given = names if isinstance(names, NameTokens) else NameTokens.of(names)
    _check_lengths(given.lengths)
    _check_tokens(given.token_ids, given.lengths)
    levels = _Levels(given)
    while len(levels.order):
        levels.descend()
    ends, name_ends = _end_marks(levels), levels.ends
    heights = _heights(ends, levels)
    block, child_bases, child_offsets = _blocked(_first_children(levels))
    tokens = np.concatenate(levels.tokens)
    # What numbered the nodes takes more memory than the trie.
    del levels
    end_bits, ends_before = _ranked(ends)
    return PackedTrie(
        tokens=tokens,
        child_bases=child_bases,
        child_offsets=child_offsets,
        end_bits=end_bits,
        ends_before=ends_before,
        names=_by_node(name_ends, ends),
        heights=heights,
        block=block,
        largest_token=int(given.token_ids.max()),
        owners=owners,
    )


def _narrowed(numbers: IntArray) -> IntArray:
    """The same numbers as uint16 or int32 if either holds them all, or else as they are, for the checks to refuse."""
    for narrow in (np.uint16, np.int32):
        if len(numbers) and numbers.min() >= 0 and numbers.max() <= np.iinfo(narrow).max:
            return numbers.astype(narrow)
    return numbers


class _Levels:
    """The levels of a trie that are numbered so far.

    order: names that go on below the last level, by the node they have reached. reached: that node, likewise.
    ends: node at which each name ends, (names,). tokens: of the nodes' edges, in pieces. degrees: how many children
    each node above the last level has, one array a level. first: the last level's first node. nodes: their number.
    """

    def __init__(self, names: NameTokens) -> None:
        count = len(names.lengths)
        self._names = names
        self._starts = (np.cumsum(names.lengths, dtype=np.int32) - names.lengths).astype(np.int32, copy=False)
        self._base = int(names.token_ids.max()) + 1
        self._token_type = np.uint16 if self._base <= 2**16 else np.int32
        self.order = np.arange(count, dtype=np.int32)
        self.reached = np.zeros(count, dtype=np.int32)
        self.ends = np.empty(count, dtype=np.int32)
        self.tokens: list[IntArray] = [np.zeros(1, dtype=self._token_type)]
        self.degrees: list[IntArray] = []
        self.first, self.nodes = 0, 1

    def descend(self) -> None:
        """Number the next level."""
        depth, first, beyond = len(self.degrees), self.first, self.nodes
        degrees = np.zeros(beyond - first, dtype=np.int32)
        for block in self._blocks():
            parents = self.reached[block].astype(np.int64) - first
            edges = parents * self._base + self._names.token_ids[self._starts[self.order[block]] + depth]
            # Parents are numbered in order, so sorting by (parent, token) numbers their children breadth first.
            by_edge = np.argsort(edges)
            edges = edges[by_edge]
            fresh = np.concatenate(([True], edges[1:] != edges[:-1]))
            self.order[block] = self.order[block][by_edge]
            self.reached[block] = self.nodes - 1 + np.cumsum(fresh, dtype=np.int32)
            edges = edges[fresh]
            self.tokens.append((edges % self._base).astype(self._token_type))
            degrees[parents[0] : parents[-1] + 1] = np.bincount(edges // self._base - parents[0])
            self.nodes += len(edges)
        self.degrees.append(_narrowed(degrees))
        self.first = beyond
        goes_on = self._names.lengths[self.order] > depth + 1
        self.ends[self.order[~goes_on]] = self.reached[~goes_on]
        self.order, self.reached = self.order[goes_on], self.reached[goes_on]

    def _blocks(self) -> list[slice]:
        ends = [0]
        while ends[-1] < len(self.reached):
            last = self.reached[min(ends[-1] + NAMES_AT_ONCE, len(self.reached)) - 1]
            ends.append(int(np.searchsorted(self.reached, last, side="right")))
        return [slice(*pair) for pair in pairwise(ends)]


def _end_marks(levels: _Levels) -> BoolArray:
    """Whether a name ends at each node, (nodes,). Raises: DataError if two end at one."""
    marks = np.zeros(levels.nodes, dtype=np.bool_)
    marks[levels.ends] = True
    if np.count_nonzero(marks) < len(levels.ends):
        order = np.argsort(levels.ends, kind="stable")
        same = np.flatnonzero(levels.ends[order[1:]] == levels.ends[order[:-1]])[0]
        raise DataError(
            f"trie: names {order[same]} and {order[same + 1]} have the same token ids; tell them apart in the catalog"
        )
    return marks


def _first_children(levels: _Levels) -> IntArray:
    """Where the children of each node start, and as one more where those of the last node end, (nodes + 1,), int32."""
    degrees = np.concatenate(levels.degrees)
    first_child = np.full(levels.nodes + 1, levels.nodes, dtype=np.int32)
    first_child[0] = 1
    np.cumsum(degrees, dtype=np.int32, out=first_child[1 : len(degrees) + 1])
    first_child[1 : len(degrees) + 1] += 1
    return first_child


def _blocked(first_child: IntArray) -> tuple[int, IntArray, IntArray]:
    """The largest block whose nodes' children start near enough for 16 bits, its bases, and the offsets from these.

    A block of one node always does: its children start at its base. `first_child` is used up.
    """
    block = MOST_NODES_A_BLOCK
    while True:
        bases = first_child[::block].copy()
        last = np.minimum(np.arange(1, len(bases) + 1) * block, len(first_child)) - 1
        if (first_child[last] - bases).max() <= np.iinfo(np.uint16).max:
            first_child -= np.repeat(bases, block)[: len(first_child)]
            return block, bases, first_child.astype(np.uint16)
        block //= 2


def _ranked(ends: BoolArray) -> tuple[npt.NDArray[np.uint64], IntArray]:
    """A bit for each node, and how many are set before each word."""
    packed = np.packbits(ends, bitorder="little")
    words = np.zeros(-(-len(ends) // WORD), dtype=np.uint64)
    words.view(np.uint8)[: len(packed)] = packed
    counts = np.bitwise_count(words)
    return words, (np.cumsum(counts, dtype=np.int32) - counts).astype(np.int32)


def _by_node(nodes: IntArray, ends: BoolArray) -> IntArray:
    """The names in the order of the nodes at which they end. nodes: these by name. ends: whether a node is one."""
    name_of = np.empty(len(ends), dtype=np.int32)
    name_of[nodes] = np.arange(len(nodes), dtype=np.int32)
    return name_of[ends]


def _heights(ends: BoolArray, levels: _Levels) -> IntArray:
    depth = len(levels.degrees) + 1
    heights: IntArray = ends.astype(np.uint8 if depth <= np.iinfo(np.uint8).max else np.int16)
    sizes = np.append(np.cumsum([0, *map(len, levels.degrees)]), levels.nodes)
    for level in reversed(range(len(levels.degrees))):
        first, beyond, end = sizes[level : level + 3]
        degrees = levels.degrees[level]
        inner = degrees > 0
        children = (np.cumsum(degrees, dtype=np.int32) - degrees)[inner]
        heights[first:beyond][inner] = np.maximum.reduceat(heights[beyond:end], children) + heights.dtype.type(1)
    return heights


def _check_lengths(lengths: IntArray) -> None:
    if not len(lengths):
        raise DataError("trie: no names to build from; check the entity catalog")
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        raise DataError(f"trie: name {empty[0]} has no tokens; check its text and the tokenizer")
    if lengths.max() > _MOST_TOKENS:
        longest = int(lengths.argmax())
        raise DataError(f"trie: name {longest} has {lengths[longest]} tokens, at most {_MOST_TOKENS} go; shorten it")
    if lengths.sum(dtype=np.int64) >= np.iinfo(np.int32).max:
        raise DataError(f"trie: {lengths.sum(dtype=np.int64)} tokens in all, fewer than 2**31 go; split the catalog")


def _check_tokens(flat: IntArray, lengths: IntArray) -> None:
    if flat.min() < 0 or flat.max() > np.iinfo(np.int32).max:
        wrong = np.flatnonzero((flat < 0) | (flat > np.iinfo(np.int32).max))
        name = int(np.searchsorted(np.cumsum(lengths), wrong[0], side="right"))
        raise DataError(f"trie: name {name} has token id {flat[wrong[0]]}, outside 0 … 2**31 - 1; check the tokenizer")
