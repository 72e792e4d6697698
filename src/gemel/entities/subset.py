"""Some of a trie's names, to be searched alone: no new trie is built, what leads to no other name is left out.

Nodes are numbered breadth first with the children of a node together. So the sorted nodes on the way to some names are
all that a subset needs: what a node has of children in it lies between the bounds of all its children.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.errors import DataError
from gemel.entities.trie import NONE, ROOT, BoolArray, Children, IntArray, PackedTrie


@dataclass(frozen=True)
class TrieSubset:
    """A trie that offers only the way to some of its names; it looks up as PackedTrie does.

    nodes: nodes on the way to one of them, the root included, sorted, (n,), int32.
    heights: tokens of the longest continuation below each of these, as PackedTrie.heights but of the subset's own
        names, (n,), uint8 or int16.
    ends: nodes at which one of the names ends, sorted, (names,), int32.
    """

    trie: PackedTrie
    nodes: IntArray
    heights: IntArray
    ends: IntArray

    @property
    def name_count(self) -> int:
        """Number of names that are offered."""
        return len(self.ends)

    @property
    def depth(self) -> int:
        """Tokens of the longest of the names, the end-of-sequence token included."""
        return int(self.heights[ROOT])

    @property
    def largest_token(self) -> int:
        """The largest token id of the whole trie."""
        return self.trie.largest_token

    def children(self, states: IntArray) -> Children:
        """As PackedTrie.children, without what leads to none of the names; children of row i are
        nodes[first[i] : first[i] + counts[i]].
        """
        every = self.trie.children(states)
        first, beyond = _position(self.nodes, every.first), _position(self.nodes, every.first + every.counts)
        return Children(first=first, counts=beyond - first, ends=every.ends & _among(self.ends, states))

    def names_at(self, states: IntArray) -> IntArray:
        """As PackedTrie.names_at; -1 also where a name ends that is none of these."""
        names: IntArray = np.where(_among(self.ends, states), self.trie.names_at(states), NONE)
        return names

    def heights_at(self, states: IntArray) -> IntArray:
        """As PackedTrie.heights_at, of the subset's own names; 0 also where none of them goes on."""
        found = _among(self.nodes, states)
        heights = np.zeros(states.shape, dtype=np.int64)
        heights[found] = self.heights[_position(self.nodes, states[found])]
        return heights


def subset_of(trie: PackedTrie, names: IntArray) -> TrieSubset:
    """Restrict a trie to the names of some entities, at a cost that grows with their number and not with the trie's.

    The first subset of a trie costs more: the trie then works out at which node each name ends.
    names: indices of the entities, in any order.
    Raises: DataError if there are none, or an index is none of the trie's.
    """
    if not len(names):
        raise DataError("no entity to choose among: the candidates or the type leave none")
    if names.min() < 0 or names.max() >= trie.entity_count:
        most = trie.entity_count - 1
        raise DataError(f"candidates: expected indices 0 … {most}, found {names.min()} … {names.max()}")
    ends = _without_repeats(np.sort(trie.ends_of(names)))
    above = _levels_above(trie, ends)
    nodes = _without_repeats(np.sort(np.concatenate(above)))
    heights = np.empty(len(nodes), dtype=trie.heights.dtype)
    # The farthest of the ends below a node is the last to reach it.
    for distance, level in enumerate(above):
        heights[_position(nodes, level)] = distance + 1
    return TrieSubset(trie=trie, nodes=nodes, heights=heights, ends=ends)


def _levels_above(trie: PackedTrie, ends: IntArray) -> list[IntArray]:
    """The nodes 0, 1, 2, … edges above some end, each sorted."""
    levels = [ends]
    while len(below := levels[-1][levels[-1] != ROOT]):
        # Parents of sorted nodes are sorted.
        levels.append(_without_repeats(trie.parents(below).astype(np.int32)))
    return levels


def _without_repeats(ordered: IntArray) -> IntArray:
    # For millions of numbers np.unique takes thirty times as long, as it hashes them.
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]


def _position(nodes: IntArray, wanted: IntArray) -> IntArray:
    # With another type than that of the nodes NumPy would copy them all.
    return np.searchsorted(nodes, wanted.astype(nodes.dtype))


def _among(nodes: IntArray, wanted: IntArray) -> BoolArray:
    found: BoolArray = nodes[np.minimum(_position(nodes, wanted), len(nodes) - 1)] == wanted
    return found
