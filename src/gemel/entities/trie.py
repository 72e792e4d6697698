"""The packed trie of all entity names: built offline, memory-mapped online.

A nested dict spends hundreds of bytes on a node; here a node is one entry in each of four arrays, 11 bytes in all where
the vocabulary has at most 65,536 tokens. Nodes are numbered breadth first, and the children of a node are contiguous
and sorted by token, so that a range of node ids says who they are (CSR). Node 0 is the root.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gemel.core.errors import ArtifactError

ROOT = 0
NONE = -1
ARRAYS = ("tokens", "first_child", "names", "heights")
FACTS = "trie.json"
_ADVICE = "run `dvc repro entity_trie`"

IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Continuations:
    """What may follow some nodes: their children, sorted by row and then by token, and where a name ends its end.

    rows: position of the node in the array of states that was asked for, (n,), int64. tokens: token of the edge,
    likewise. children: node that the edge leads to, likewise; an end stands last in its row, with a token and a child
    of -1. counts: how many of them each row has, (rows,), int64.
    """

    rows: IntArray
    tokens: IntArray
    children: IntArray
    counts: IntArray


@dataclass(frozen=True)
class Children:
    """What follows some nodes."""

    first: IntArray
    counts: IntArray
    ends: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PackedTrie:
    """A trie over token ids.

    tokens: token of the edge into each node, of no meaning for the root, (nodes,), uint16 or int32.
    first_child: node id of each node's first child; node n's children are first_child[n] … first_child[n + 1] - 1,
        (nodes + 1,), int32.
    names: index of the name that ends at each node, or -1, (nodes,), int32.
    heights: tokens of the longest continuation below each node, the end-of-sequence token counted as one more,
        (nodes,), uint8 or int16.
    name_count: number of names. largest_token: the largest token id that any name holds.
    """

    tokens: IntArray
    first_child: IntArray
    names: IntArray
    heights: IntArray
    name_count: int
    largest_token: int

    def __len__(self) -> int:
        """Number of nodes, the root included."""
        return len(self.tokens)

    @property
    def depth(self) -> int:
        """Tokens of the longest name, the end-of-sequence token included: the generation length."""
        return int(self.heights[ROOT])

    def child(self, state: int, token: int) -> int:
        """Return the node that `token` leads to from node `state`, or -1 if no name goes on so."""
        first, last = int(self.first_child[state]), int(self.first_child[state + 1])
        place = first + int(np.searchsorted(self.tokens[first:last], token))
        return place if place < last and self.tokens[place] == token else NONE

    def continuations(self, states: IntArray) -> Continuations:
        """Return what may follow each of the given nodes, all at once.

        states: node ids, or -1 for none, which nothing follows; (rows,), any integer type.
        """
        nodes = np.maximum(states, ROOT)
        first = self.first_child[nodes].astype(np.int64)
        ends = (states != NONE) & (self.names[nodes] != NONE)
        counts = np.where(states == NONE, 0, self.first_child[nodes + 1] - first) + ends
        stops = np.cumsum(counts)
        rows = np.repeat(np.arange(len(states)), counts)
        # The k-th child of a row sits at first + k; k is the running number less those of the rows before.
        children = np.arange(len(rows))
        children += np.repeat(first - (stops - counts), counts)
        at_end = (stops - 1)[ends]
        children[at_end] = ROOT
        tokens = self.tokens[children].astype(np.int64)
        tokens[at_end] = children[at_end] = NONE
        return Continuations(rows=rows, tokens=tokens, children=children, counts=counts)

    def children(self, states: IntArray) -> Children:
        """What follows some nodes; states: node ids or -1, (rows,)."""
        nodes = np.maximum(states, ROOT)
        first = self.first_child[nodes].astype(np.int64)
        counts = np.where(states == NONE, 0, self.first_child[nodes + 1] - first)
        return Children(first, counts, (states != NONE) & (self.names[nodes] != NONE))

    def heights_at(self, states: IntArray) -> IntArray:
        """Tokens of the longest continuation, EOS counted."""
        return np.where(states == NONE, 0, self.heights[np.maximum(states, ROOT)].astype(np.int64))

    @cached_property
    def ends(self) -> IntArray:
        """The node at which each name ends, (names,), int32. The first call reads the whole `names` array."""
        nodes = np.flatnonzero(self.names != NONE).astype(np.int32)
        ends = np.empty(self.name_count, dtype=np.int32)
        ends[self.names[nodes]] = nodes
        return ends

    def names_at(self, states: IntArray) -> IntArray:
        """Return the index of the name that ends at each node, or -1; states: node ids or -1, (rows,)."""
        names: IntArray = np.where(states == NONE, NONE, self.names[np.maximum(states, ROOT)])
        return names

    def parents(self, nodes: IntArray) -> IntArray:
        """Return the parent of each node but the root, (rows,), int64."""
        # Parents are in order: a node's is the last one whose children begin at the node or before it.
        parents: IntArray = np.searchsorted(self.first_child, nodes, side="right") - 1
        return parents


def write_trie(trie: PackedTrie, folder: Path) -> None:
    """Write one .npy file per array, and trie.json, into an existing folder."""
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(trie, name), allow_pickle=False)
    facts = {"names": trie.name_count, "largest_token": trie.largest_token}
    (folder / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")


def read_trie(folder: Path) -> PackedTrie:
    """Open the trie of a folder, memory-mapped: nothing is read before it is looked up.

    Raises: ArtifactError if a file is missing or damaged, or the files do not belong together.
    """
    arrays = {name: _open(folder / f"{name}.npy") for name in ARRAYS}
    facts = _read_facts(folder / FACTS)
    trie = PackedTrie(**arrays, name_count=facts["names"], largest_token=facts["largest_token"])
    sizes = {name: len(array) for name, array in arrays.items()}
    n_nodes = len(trie)
    if n_nodes < 2 or sizes != {"tokens": n_nodes, "first_child": n_nodes + 1, "names": n_nodes, "heights": n_nodes}:
        raise ArtifactError(f"{folder}: arrays of {sizes} entries are no trie; {_ADVICE}")
    if int(trie.first_child[-1]) != n_nodes or trie.depth < 2:
        found = f"{int(trie.first_child[-1])} linked nodes of {n_nodes}, depth {trie.depth}"
        raise ArtifactError(f"{folder}: damaged trie, {found}; {_ADVICE}")
    return trie


def _read_facts(path: Path) -> dict[str, int]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing; {_ADVICE}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: damaged ({error}); {_ADVICE}") from error
    if not isinstance(facts, dict) or not all(type(facts.get(key)) is int for key in ("names", "largest_token")):
        raise ArtifactError(f"{path}: expected the numbers names and largest_token, found {facts!r}; {_ADVICE}")
    return facts


def _open(path: Path) -> IntArray:
    try:
        array: IntArray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing; {_ADVICE}") from None
    except (ValueError, EOFError, OSError) as error:
        raise ArtifactError(f"{path}: damaged or truncated ({error}); {_ADVICE}") from error
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ArtifactError(f"{path}: expected a row of integers, got {array.dtype} {array.shape}; {_ADVICE}")
    return array
