"""The packed trie of all entity names: built offline, memory-mapped online.

A nested dict spends hundreds of bytes on a node; here a node takes a token, the two low bytes of where its children
start, a height and a bit that says whether a name ends there: about 5.4 bytes, and 4 more for each name, where the
vocabulary has at most 65,536 tokens. Nodes are numbered breadth first, and the children of a node are contiguous and
sorted by token, so that a range of node ids says who they are (CSR). Node 0 is the root.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gemel.core.errors import ArtifactError

ROOT = 0
NONE = -1
FORMAT = 2
# The array files and what they may hold.
ARRAYS = {
    "tokens": ("uint16", "int32"),
    "child_bases": ("int32",),
    "child_offsets": ("uint16",),
    "end_bits": ("uint64",),
    "ends_before": ("int32",),
    "names": ("int32",),
    "heights": ("uint8", "int16"),
}
# There where an entity has several names.
OWNERS = "owners.npy"
FACTS = "trie.json"
WORD = 64
_ADVICE = "run `dvc repro entity_trie`"

IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Children:
    """What follows some nodes.

    first: where each node's children start in the view's numbering, (rows,), int64. counts: how many, (rows,), int64.
    ends: whether a name ends at the node, (rows,), bool.
    """

    first: IntArray
    counts: IntArray
    ends: BoolArray


@dataclass(frozen=True)
class PackedTrie:
    """A trie over token ids.

    tokens: token of the edge into each node, of no meaning for the root, (nodes,), uint16 or int32.
    child_bases, child_offsets: where the children of nodes start. Those of node n are first(n) … first(n + 1) - 1 with
        first(n) = child_bases[n // block] + child_offsets[n]; (ceil((nodes + 1) / block),), int32, and (nodes + 1,),
        uint16.
    end_bits: bit n % 64 of word n // 64 is set if a name ends at node n, (ceil(nodes / 64),), uint64.
    ends_before: ends in all words before each word, likewise, int32.
    names: index of each name, in the order of the nodes at which they end, (names,), int32.
    owners: index of the entity of each name, where entities have several, (names,), int32; the first names are those of
        the entities in their order. None where name i is that of entity i.
    heights: tokens of the longest continuation below each node, the end-of-sequence token counted as one more,
        (nodes,), uint8 or int16.
    block: nodes that share a base, a power of two. largest_token: the largest token id that any name holds.
    """

    tokens: IntArray
    child_bases: IntArray
    child_offsets: IntArray
    end_bits: npt.NDArray[np.uint64]
    ends_before: IntArray
    names: IntArray
    heights: IntArray
    block: int
    largest_token: int
    owners: IntArray | None = None

    def __len__(self) -> int:
        """Number of nodes, the root included."""
        return len(self.tokens)

    @property
    def name_count(self) -> int:
        """Number of names."""
        return len(self.names)

    @property
    def depth(self) -> int:
        """Tokens of the longest name, the end-of-sequence token included: the generation length."""
        return int(self.heights[ROOT])

    def child(self, state: int, token: int) -> int:
        """Return the node that `token` leads to from node `state`, or -1 if no name goes on so."""
        first, last = self._first_children(np.array([state, state + 1])).tolist()
        place = first + int(np.searchsorted(self.tokens[first:last], token))
        return place if place < last and self.tokens[place] == token else NONE

    @cached_property
    def entity_count(self) -> int:
        """Number of entities that the names lead to."""
        return self.name_count if self.owners is None else int(self.owners.max()) + 1

    def index_of(self, tokens: Sequence[int]) -> int:
        """Return the entity whose name has these token ids, or -1 if the trie has no such name."""
        state = ROOT
        for token in tokens:
            if state != NONE:
                state = self.child(state, token)
        return int(self.names_at(np.array([state]))[0])

    def children(self, states: IntArray) -> Children:
        """Return what follows each of the given nodes: nodes first … first + count - 1, and whether a name ends.

        states: node ids, or -1 for none, which nothing follows; (rows,), any integer type.
        """
        nodes, live = _nodes(states)
        first = self._first_children(nodes)
        counts = (self._first_children(nodes + 1) - first) * live
        return Children(first=first, counts=counts, ends=self._ends_at(nodes) & live)

    @cached_property
    def ends(self) -> IntArray:
        """The node at which each name ends, (names,), int32. The first call reads `names` and `end_bits` as a whole."""
        nodes = np.flatnonzero(np.unpackbits(self.end_bits.view(np.uint8), bitorder="little"))
        ends = np.empty(self.name_count, dtype=np.int32)
        ends[self.names] = nodes
        return ends

    def ends_of(self, entities: IntArray) -> IntArray:
        """The nodes at which some names of these entities end, (names,), int32; each entity has one at least."""
        if self.owners is None:
            return np.asarray(self.ends[entities])
        order, first = self._names_by_owner
        counts = first[entities + 1] - first[entities]
        # One range of `order` behind the other.
        places = np.arange(counts.sum()) + np.repeat(first[entities] - (np.cumsum(counts) - counts), counts)
        return np.asarray(self.ends[order[places]])

    @cached_property
    def _names_by_owner(self) -> tuple[IntArray, IntArray]:
        """The names in the order of their entities, (names,), and where each entity's start, (entities + 1,)."""
        assert self.owners is not None
        counts = np.bincount(self.owners, minlength=self.entity_count)
        return np.argsort(self.owners, kind="stable"), np.concatenate(([0], np.cumsum(counts)))

    def names_at(self, states: IntArray) -> IntArray:
        """Return the entity whose name ends at each node, or -1; states: node ids or -1, any shape."""
        nodes, live = _nodes(states)
        ends = self._ends_at(nodes) & live
        words, places = _places(nodes[ends])
        earlier = self.end_bits[words] & ((np.uint64(1) << places) - np.uint64(1))
        found = np.full(nodes.shape, NONE, dtype=np.int32)
        names = self.names[self.ends_before[words] + np.bitwise_count(earlier)]
        found[ends] = names if self.owners is None else self.owners[names]
        return found

    def heights_at(self, states: IntArray) -> IntArray:
        """Return the tokens of the longest continuation below each node, the end-of-sequence token counted, int64.

        states: node ids, or -1 for none, with 0; any shape.
        """
        nodes, live = _nodes(states)
        heights: IntArray = self.heights[nodes] * live.astype(np.int64)
        return heights

    def parents(self, nodes: IntArray) -> IntArray:
        """Return the parent of each node but the root, (rows,), int64."""
        # Parents are in order: a node's is the last one whose children begin at the node or before it. The type that is
        # looked for must be that of the bases, or NumPy would copy these.
        blocks = np.searchsorted(self.child_bases, nodes.astype(np.int32), side="right") - 1
        offsets, parents = nodes - self.child_bases[blocks], blocks * self.block
        step = self.block // 2
        while step:
            probes = np.minimum(parents + step, len(self.child_offsets) - 1)
            parents = np.where(self.child_offsets[probes] <= offsets, probes, parents)
            step //= 2
        return parents

    def _first_children(self, nodes: IntArray) -> IntArray:
        first: IntArray = self.child_bases[nodes // self.block] + self.child_offsets[nodes].astype(np.int64)
        return first

    def _ends_at(self, nodes: IntArray) -> BoolArray:
        words, places = _places(nodes)
        ends: BoolArray = (self.end_bits[words] >> places & np.uint64(1)).astype(np.bool_)
        return ends


def _nodes(states: IntArray) -> tuple[IntArray, BoolArray]:
    """Nodes to look up, the root in the place of none, and which of them are any."""
    return np.maximum(states.astype(np.int64), ROOT), states != NONE


def _places(nodes: IntArray) -> tuple[IntArray, npt.NDArray[np.uint64]]:
    """The word of each node's bit, and the bit's place in it."""
    return nodes // WORD, (nodes % WORD).astype(np.uint64)


def write_trie(trie: PackedTrie, folder: Path) -> None:
    """Write one .npy file per array, and trie.json, into an existing folder; owners.npy if the names have owners."""
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(trie, name), allow_pickle=False)
    if trie.owners is not None:
        np.save(folder / OWNERS, trie.owners, allow_pickle=False)
    facts = {"format": FORMAT, "names": trie.name_count, "block": trie.block, "largest_token": trie.largest_token}
    (folder / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")


def read_trie(folder: Path) -> PackedTrie:
    """Open the trie of a folder, memory-mapped: nothing is read before it is looked up.

    Raises: ArtifactError if a file is missing, damaged or of another format, or the files do not belong together.
    """
    facts = _read_facts(folder / FACTS)
    arrays: dict[str, Any] = {name: _open(folder / f"{name}.npy", kinds) for name, kinds in ARRAYS.items()}
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(arrays["tokens"]) < 2 or sizes != _sizes(len(arrays["tokens"]), facts["names"], facts["block"]):
        raise ArtifactError(f"{folder}: arrays of {sizes} entries are no trie of {facts}; {_ADVICE}")
    owners = _open(folder / OWNERS, ("int32",)) if (folder / OWNERS).exists() else None
    if owners is not None and (len(owners) != facts["names"] or owners.min() < 0):
        raise ArtifactError(f"{folder / OWNERS}: {len(owners)} owners of {facts['names']} names; {_ADVICE}")
    trie = PackedTrie(**arrays, block=facts["block"], largest_token=facts["largest_token"], owners=owners)
    linked = int(trie.child_bases[-1]) + int(trie.child_offsets[-1])
    ends = int(trie.ends_before[-1]) + int(np.bitwise_count(trie.end_bits[-1]))
    if linked != len(trie) or ends != trie.name_count or trie.depth < 2:
        found = f"{linked} linked nodes of {len(trie)}, {ends} ends of {trie.name_count} names, depth {trie.depth}"
        raise ArtifactError(f"{folder}: damaged trie, {found}; {_ADVICE}")
    return trie


def _sizes(nodes: int, names: int, block: int) -> dict[str, int]:
    links, words = nodes + 1, -(-nodes // WORD)
    each = {"tokens": nodes, "child_bases": -(-links // block), "child_offsets": links, "heights": nodes}
    return each | {"end_bits": words, "ends_before": words, "names": names}


def _read_facts(path: Path) -> dict[str, int]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing; {_ADVICE}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: damaged ({error}); {_ADVICE}") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ArtifactError(f"{path}: expected a trie of format {FORMAT}, found {facts!r}; {_ADVICE}")
    wrong = [key for key in ("names", "block", "largest_token") if type(facts.get(key)) is not int]
    if wrong or facts["block"] < 1:
        raise ArtifactError(f"{path}: expected the numbers names, block and largest_token, found {facts!r}; {_ADVICE}")
    return facts


def _open(path: Path, kinds: tuple[str, ...]) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing; {_ADVICE}") from None
    except (ValueError, EOFError, OSError) as error:
        raise ArtifactError(f"{path}: damaged or truncated ({error}); {_ADVICE}") from error
    if array.ndim != 1 or array.dtype.name not in kinds:
        wanted = " or ".join(kinds)
        raise ArtifactError(f"{path}: expected a row of {wanted}, got {array.dtype} {array.shape}; {_ADVICE}")
    # The same memory without the class `memmap`, whose every lookup costs as much again.
    return array.view(np.ndarray)
