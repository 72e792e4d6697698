"""Names that are hard to tell apart for a search along the trie: those that begin with the same tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gemel.entities.trie import NONE, ROOT, PackedTrie

# Nodes of one depth that are looked at below a common beginning: millions of names may begin with "The".
MOST_NODES = 4_096


@dataclass(frozen=True)
class Neighbour:
    """A name of the trie. name: its index. shared: tokens at its beginning that it has in common, at least 1."""

    name: int
    shared: int


def neighbours(trie: PackedTrie, name: int, count: int) -> tuple[Neighbour, ...]:
    """The names that share the longest beginning with a name, in tokens; of equally long ones the shortest names.

    name: index of the name. Returns: at most `count`, fewer if no others begin with its first token.
    """
    found: dict[int, Neighbour] = {}
    path = _path(trie, int(trie.ends[name]))
    for shared in range(len(path), 0, -1):
        for other in _names_below(trie, path[shared - 1]):
            if other != name:
                found.setdefault(other, Neighbour(other, shared))
            if len(found) == count:
                return tuple(found.values())
    return tuple(found.values())


def _path(trie: PackedTrie, node: int) -> list[int]:
    """The nodes from the root's child down to the node."""
    path = []
    while node != ROOT:
        path.append(node)
        node = int(trie.parents(np.array([node]))[0])
    return path[::-1]


def _names_below(trie: PackedTrie, node: int) -> Iterator[int]:
    """Indices of the names that end at a node or below it, nearest first."""
    first, last = node, node + 1
    # Nodes are numbered breadth first, so those of one depth below a node are a range.
    while first < last:
        last = min(last, first + MOST_NODES)
        names = trie.names_at(np.arange(first, last))
        yield from names[names != NONE].tolist()
        ends = trie.children(np.array([first, last - 1]))
        first, last = int(ends.first[0]), int(ends.first[1] + ends.counts[1])
