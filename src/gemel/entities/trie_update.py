"""A packed trie of other names than before, without tokenizing again those that stay.

The tokens of a name lie in the trie itself, on the way up from the node at which it ends. Reading them back takes a
small part of the time that a tokenizer takes; the trie is then built as ever, so that it equals one that is built from
the names alone, array for array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.core.errors import DataError
from gemel.entities.trie import ROOT, IntArray, PackedTrie
from gemel.entities.trie_build import NameTokens, build_trie

Tokenize = Callable[[Sequence[str]], NameTokens]


def update_trie(base: PackedTrie, base_names: Sequence[str], names: Sequence[str], tokenize: Tokenize) -> PackedTrie:
    """The trie of `names`, equal to `build_trie(tokenize(names))`.

    base_names: those of the base trie, by index. tokenize: called once, with the names that the base lacks, in order;
    not called where it has them all.
    Raises: DataError if base_names aren't the base's, there are no names, or as build_trie.
    """
    if len(base_names) != base.name_count:
        raise DataError(f"trie: {base.name_count} names, but {len(base_names)} are said to be in it; rebuild it")
    if not len(names):
        raise DataError("trie: no names to build from; check the entity catalog")
    found = _places(base_names, names)
    fresh = np.flatnonzero(found < 0)
    kept = tokens_of(base, found[found >= 0])
    if not len(fresh):
        return build_trie(kept)
    added = tokenize([names[place] for place in fresh.tolist()])
    return build_trie(_interleaved(kept, added, found < 0))


def tokens_of(trie: PackedTrie, names: IntArray) -> NameTokens:
    """The token ids of some names, read back from the trie. names: their indices, in any order, repeats allowed."""
    levels, parents = _levels_and_parents(trie)
    ends = trie.ends[names].astype(np.int64)
    lengths = np.searchsorted(levels, ends, side="right").astype(np.int32) - 1
    token_ids = np.empty(int(lengths.sum(dtype=np.int64)), dtype=trie.tokens.dtype)
    places = np.cumsum(lengths, dtype=np.int64) - 1
    nodes: IntArray = ends
    # Each round writes one token of every name that has one left, the last one first.
    while len(nodes):
        token_ids[places] = trie.tokens[nodes]
        nodes, places = parents[nodes], places - 1
        inner = nodes != ROOT
        nodes, places = nodes[inner], places[inner]
    return NameTokens(token_ids, lengths)


def _levels_and_parents(trie: PackedTrie) -> tuple[IntArray, IntArray]:
    """The first node of each level, and the parent of each node (that of the root is the root)."""
    first_child = np.repeat(trie.child_bases, trie.block)[: len(trie) + 1] + trie.child_offsets
    parents = np.zeros(len(trie), dtype=np.int32)
    parents[1:] = np.repeat(np.arange(len(trie), dtype=np.int32), np.diff(first_child))
    levels = [ROOT]
    # Breadth first: the children of a level's first node begin the next level.
    while (below := int(first_child[levels[-1]])) < len(trie):
        levels.append(below)
    return np.array(levels, dtype=np.int64), parents


def _places(base_names: Sequence[str], names: Sequence[str]) -> IntArray:
    """Where each name stands in the base, or -1, (names,), int64."""
    base, wanted = pl.Series(base_names, dtype=pl.String), pl.Series(names, dtype=pl.String)
    hashes, wanted_hashes = base.hash().to_numpy(), wanted.hash().to_numpy()
    order, wanted_order = np.argsort(hashes), np.argsort(wanted_hashes)
    # Sorted hashes are looked up side by side: a dict of a million names takes several times as long.
    found = np.searchsorted(hashes[order], wanted_hashes[wanted_order])
    places = np.empty(len(wanted), dtype=np.int64)
    places[wanted_order] = order[np.minimum(found, len(order) - 1)]
    # A name that another one's hash hides counts as new: that costs its tokenization and no more.
    same: npt.NDArray[np.bool_] = (base.gather(places) == wanted).to_numpy()
    return np.where(same, places, -1)


def _interleaved(kept: NameTokens, added: NameTokens, is_added: npt.NDArray[np.bool_]) -> NameTokens:
    """Names of two kinds in one order. is_added: which of the two each is, (names,), bool."""
    lengths = np.empty(len(is_added), dtype=np.int32)
    lengths[is_added], lengths[~is_added] = added.lengths, kept.lengths
    of_added = np.repeat(is_added, lengths)
    token_ids = np.empty(len(of_added), dtype=np.result_type(kept.token_ids, added.token_ids))
    token_ids[of_added], token_ids[~of_added] = added.token_ids, kept.token_ids
    return NameTokens(token_ids, lengths)
