"""Some of a trie's names, to be searched alone: no new trie is built, what leads to no other name is left out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gemel.core.errors import DataError
from gemel.entities.trie import NONE, ROOT, Children, Continuations, IntArray, PackedTrie

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TrieSubset:
    """A trie that offers only the way to some of its names; it looks up as PackedTrie does.

    open_nodes: nodes on the way to one of them, (nodes,). open_names: the names themselves, (names,).
    """

    trie: PackedTrie
    open_nodes: BoolArray
    open_names: BoolArray
    name_count: int

    @property
    def depth(self) -> int:
        """Tokens of the whole trie's longest name, the end-of-sequence token included."""
        return self.trie.depth

    @property
    def largest_token(self) -> int:
        """The largest token id of the whole trie."""
        return self.trie.largest_token

    @cached_property
    def nodes(self) -> IntArray:
        return np.flatnonzero(self.open_nodes)

    def children(self, states: IntArray) -> Children:
        nodes = np.maximum(states, ROOT)
        first = np.searchsorted(self.nodes, self.trie.first_child[nodes])
        last = np.searchsorted(self.nodes, self.trie.first_child[nodes + 1])
        return Children(first, np.where(states == NONE, 0, last - first), self.names_at(states) != NONE)

    def heights_at(self, states: IntArray) -> IntArray:
        return self.trie.heights_at(states)

    def continuations(self, states: IntArray) -> Continuations:
        """As PackedTrie.continuations, without what leads to none of the names."""
        below = self.trie.continuations(states)
        ends = np.flatnonzero(below.children == NONE)
        # A child of -1 reads the last node, whose answer isn't used.
        kept = self.open_nodes[below.children]
        kept[ends] = self.names_at(states[below.rows[ends]]) != NONE
        rows = below.rows[kept]
        counts = np.bincount(rows, minlength=len(states))
        return Continuations(rows=rows, tokens=below.tokens[kept], children=below.children[kept], counts=counts)

    def names_at(self, states: IntArray) -> IntArray:
        """As PackedTrie.names_at; -1 also where a name ends that is none of these."""
        found = self.trie.names_at(states)
        # Index -1 reads the last name, whose answer isn't used.
        names: IntArray = np.where((found != NONE) & self.open_names[found], found, NONE)
        return names


def subset_of(trie: PackedTrie, names: IntArray) -> TrieSubset:
    """Restrict a trie to some of its names, at a cost that grows with their number and not with the trie's.

    names: their indices, in any order.
    Raises: DataError if there are none, or an index is none of the trie's.
    """
    if not len(names):
        raise DataError("no entity to choose among: the candidates or the type leave none")
    if names.min() < 0 or names.max() >= trie.name_count:
        raise DataError(f"candidates: expected indices 0 … {trie.name_count - 1}, found {names.min()} … {names.max()}")
    # Fresh zeros are not touched before they are written or read: only the pages in use take memory.
    open_names, open_nodes = np.zeros(trie.name_count, dtype=np.bool_), np.zeros(len(trie), dtype=np.bool_)
    open_names[names] = True
    nodes: IntArray = trie.ends[names]
    while len(nodes):
        open_nodes[nodes] = True
        parents = np.unique(trie.parents(nodes[nodes != ROOT]))
        nodes = parents[~open_nodes[parents]]
    return TrieSubset(trie, open_nodes, open_names, int(np.count_nonzero(open_names)))
