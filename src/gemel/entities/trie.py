"""The packed trie of all entity names: built offline, memory-mapped online.

A nested dict spends hundreds of bytes on a node; here a node is one entry in each of four arrays. Nodes are numbered
breadth first, and the children of a node are contiguous and sorted by token, so that a range of node ids says who they
are (CSR). Node 0 is the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gemel.core.errors import ArtifactError, DataError

ROOT = 0
NONE = -1
_MOST_TOKENS = int(np.iinfo(np.int16).max) - 1
_ADVICE = "run `dvc repro entity_trie`"

IntArray = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Continuations:
    """All children of some nodes, sorted by row and then by token; each array (n,), int64.

    rows: position of the parent in the array of states that was asked for. tokens: token of the edge. children: node
    that the edge leads to.
    """

    rows: IntArray
    tokens: IntArray
    children: IntArray


@dataclass(frozen=True)
class PackedTrie:
    """A trie over token ids.

    tokens: token of the edge into each node, -1 for the root, (nodes,), int32.
    first_child: node id of each node's first child; node n's children are first_child[n] … first_child[n + 1] - 1,
        (nodes + 1,), int32.
    names: index of the name that ends at each node, or -1, (nodes,), int32.
    heights: tokens of the longest continuation below each node, the end-of-sequence token counted as one more,
        (nodes,), int16.
    """

    tokens: IntArray
    first_child: IntArray
    names: IntArray
    heights: IntArray

    def __len__(self) -> int:
        """Number of nodes, the root included."""
        return len(self.tokens)

    @property
    def depth(self) -> int:
        """Tokens of the longest name, the end-of-sequence token included: the generation length."""
        return int(self.heights[ROOT])

    @cached_property
    def name_count(self) -> int:
        """Number of names. The first call reads the whole `names` array."""
        return int(np.count_nonzero(self.names != NONE))

    def child(self, state: int, token: int) -> int:
        """Return the node that `token` leads to from node `state`, or -1 if no name goes on so."""
        first, last = int(self.first_child[state]), int(self.first_child[state + 1])
        place = first + int(np.searchsorted(self.tokens[first:last], token))
        return place if place < last and self.tokens[place] == token else NONE

    def continuations(self, states: IntArray) -> Continuations:
        """Return all children of all given nodes at once.

        states: node ids, or -1 for none, which has no children; (rows,), any integer type.
        """
        counts, first = self.child_ranges(states)
        rows = np.repeat(np.arange(len(states)), counts)
        # The k-th child of a row sits at first + k; k is the running number less those of the rows before.
        children = np.arange(len(rows)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        return Continuations(rows=rows, tokens=self.tokens[children].astype(np.int64), children=children)

    def child_ranges(self, states: IntArray) -> tuple[IntArray, IntArray]:
        """Return how many children each node has and the first one's id; (rows,) each, int64. -1 has none."""
        nodes = np.maximum(states, ROOT)
        first = self.first_child[nodes].astype(np.int64)
        counts = np.where(states == NONE, 0, self.first_child[nodes + 1] - first)
        return counts, first


def build_trie(names: Sequence[Sequence[int]]) -> PackedTrie:
    """Pack names into a trie.

    names: token ids of each name, without an end-of-sequence token; `PackedTrie.names` points into this sequence.
    Raises: DataError if there are no names, or a name has no tokens, too many, an impossible one, or another's tokens.
    """
    lengths = np.fromiter(map(len, names), dtype=np.int64, count=len(names))
    _check_lengths(lengths)
    flat = np.fromiter(chain.from_iterable(names), dtype=np.int64, count=int(lengths.sum()))
    _check_tokens(flat, lengths)
    levels, ends = _number_nodes(flat, lengths)
    _check_distinct(ends)

    parents = np.concatenate([level.parents for level in levels])
    n_nodes = len(parents) + 1
    name_of = np.full(n_nodes, NONE, dtype=np.int32)
    name_of[ends] = np.arange(len(names))
    children = np.bincount(parents, minlength=n_nodes)
    return PackedTrie(
        tokens=np.concatenate([[NONE], *(level.tokens for level in levels)]).astype(np.int32),
        first_child=np.concatenate([[1], 1 + np.cumsum(children)]).astype(np.int32),
        names=name_of,
        heights=_heights(name_of, levels),
    )


def write_trie(trie: PackedTrie, folder: Path) -> None:
    """Write one .npy file per array into an existing folder."""
    for array in fields(trie):
        np.save(folder / f"{array.name}.npy", getattr(trie, array.name), allow_pickle=False)


def read_trie(folder: Path) -> PackedTrie:
    """Open the trie of a folder, memory-mapped: nothing is read before it is looked up.

    Raises: ArtifactError if a file is missing or damaged, or the files do not belong together.
    """
    trie = PackedTrie(**{array.name: _open(folder / f"{array.name}.npy") for array in fields(PackedTrie)})
    sizes = {array.name: len(getattr(trie, array.name)) for array in fields(trie)}
    n_nodes = len(trie)
    if n_nodes < 2 or sizes != {"tokens": n_nodes, "first_child": n_nodes + 1, "names": n_nodes, "heights": n_nodes}:
        raise ArtifactError(f"{folder}: arrays of {sizes} entries are no trie; {_ADVICE}")
    if int(trie.first_child[-1]) != n_nodes or trie.depth < 2:
        found = f"{int(trie.first_child[-1])} linked nodes of {n_nodes}, depth {trie.depth}"
        raise ArtifactError(f"{folder}: damaged trie, {found}; {_ADVICE}")
    return trie


@dataclass(frozen=True)
class _Level:
    """The nodes of one depth, in order of (parent, token); (nodes,) each."""

    parents: IntArray
    tokens: IntArray


def _number_nodes(flat: IntArray, lengths: IntArray) -> tuple[list[_Level], IntArray]:
    """Return the levels of the trie below the root, and the node at which each name ends."""
    base = int(flat.max()) + 1
    starts = np.cumsum(lengths) - lengths
    ends = np.empty(len(lengths), dtype=np.int64)
    open_names = np.arange(len(lengths))
    parents = np.full(len(lengths), ROOT, dtype=np.int64)
    levels: list[_Level] = []
    n_nodes = 1
    while len(open_names):
        # Parents are numbered in order, so sorting by (parent, token) numbers their children breadth first.
        edges, edge_of = np.unique(parents * base + flat[starts[open_names] + len(levels)], return_inverse=True)
        nodes = n_nodes + edge_of
        levels.append(_Level(parents=edges // base, tokens=edges % base))
        n_nodes += len(edges)
        goes_on = lengths[open_names] > len(levels)
        ends[open_names[~goes_on]] = nodes[~goes_on]
        open_names, parents = open_names[goes_on], nodes[goes_on]
    return levels, ends


def _heights(name_of: IntArray, levels: list[_Level]) -> IntArray:
    heights: IntArray = (name_of != NONE).astype(np.int16)
    last = len(heights)
    for level in reversed(levels):
        first = last - len(level.parents)
        np.maximum.at(heights, level.parents, heights[first:last] + np.int16(1))
        last = first
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
    if lengths.sum() >= np.iinfo(np.int32).max:
        raise DataError(f"trie: {lengths.sum()} tokens in all, fewer than 2**31 go; split the catalog")


def _check_tokens(flat: IntArray, lengths: IntArray) -> None:
    wrong = np.flatnonzero((flat < 0) | (flat > np.iinfo(np.int32).max))
    if len(wrong):
        name = int(np.searchsorted(np.cumsum(lengths), wrong[0], side="right"))
        raise DataError(f"trie: name {name} has token id {flat[wrong[0]]}, outside 0 … 2**31 - 1; check the tokenizer")


def _check_distinct(ends: IntArray) -> None:
    order = np.argsort(ends, kind="stable")
    same = np.flatnonzero(ends[order[1:]] == ends[order[:-1]])
    if len(same):
        first, second = order[same[0]], order[same[0] + 1]
        raise DataError(f"trie: names {first} and {second} have the same token ids; tell them apart in the catalog")


def _open(path: Path) -> IntArray:
    try:
        array: IntArray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing; {_ADVICE}") from None
    except (ValueError, EOFError, OSError) as error:
        raise ArtifactError(f"{path}: damaged or truncated ({error}); {_ADVICE}") from error
    if array.ndim != 1 or array.dtype.kind != "i":
        raise ArtifactError(f"{path}: expected a row of integers, got {array.dtype} {array.shape}; {_ADVICE}")
    return array
