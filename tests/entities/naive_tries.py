"""Tries as plain dicts, to compare with: for each path from the root, what a lookup at its node says."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gemel.entities.subset import TrieSubset
from gemel.entities.trie import NONE, ROOT, PackedTrie

Path = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """name: index of the name that ends here, or -1. height: as PackedTrie.heights_at. tokens: of the children."""

    name: int
    ends: bool
    height: int
    tokens: tuple[int, ...]


def expected(names: Mapping[Path, int]) -> dict[Path, Node]:
    """What a trie of these names, each with its index, ought to hold."""
    heights: dict[Path, int] = {}
    tokens: dict[Path, set[int]] = {}
    for name in names:
        for length in range(len(name) + 1):
            path = name[:length]
            heights[path] = max(heights.get(path, 0), len(name) - length + 1)
            tokens.setdefault(path, set()).update(name[length : length + 1])
    return {
        path: Node(names.get(path, NONE), path in names, heights[path], tuple(sorted(tokens[path]))) for path in heights
    }


def looked_up(trie: PackedTrie | TrieSubset) -> dict[Path, Node]:
    """What a trie holds, walked level by level with the lookups of a search."""
    numbering = trie.nodes if isinstance(trie, TrieSubset) else np.arange(len(trie))
    edges = trie.trie.tokens if isinstance(trie, TrieSubset) else trie.tokens
    found: dict[Path, Node] = {}
    paths: list[Path] = [()]
    states = np.array([ROOT])
    while paths:
        below, names, heights = trie.children(states), trie.names_at(states), trie.heights_at(states)
        places = [range(first, first + count) for first, count in zip(below.first, below.counts, strict=True)]
        for row, path in enumerate(paths):
            tokens = tuple(edges[numbering[list(places[row])]].tolist()) if places[row] else ()
            found[path] = Node(int(names[row]), bool(below.ends[row]), int(heights[row]), tokens)
        paths = [(*path, token) for path in paths for token in found[path].tokens]
        states = np.array([numbering[place] for row in places for place in row])
    return found
