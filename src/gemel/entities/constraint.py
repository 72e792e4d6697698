"""The trie at generation time: the best tokens that may follow each position, for all positions of a batch at once.

Where a position's children lie in the trie is looked up on the host, a few numbers for each; who they are, what the
LLM gives them and which are best is found on the model's device.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gemel.core.errors import ArtifactError
from gemel.entities.subset import TrieSubset
from gemel.entities.trie import NONE, Children, IntArray, PackedTrie

ENDED = NONE
ADVICE = "it was built for another tokenizer; run `dvc repro entity_trie`"
FloatArray = npt.NDArray[np.float32]
# Of positions whose best tokens are looked for together the widest may have so many times the tokens of the narrowest.
_WIDTH_FACTOR = 16
_LOGITS_AT_ONCE = 400_000


@dataclass(frozen=True)
class Offers:
    """The best that may follow some positions, best first, on the host.

    scores: log-probability, -inf where a position has fewer, (positions, kept), float32. children: trie node that is
    reached, or -1 where it is end-of-sequence and the name of the position's own node is complete, likewise, int64.
    """

    scores: FloatArray
    children: IntArray


@dataclass(frozen=True)
class Offered:
    """All tokens that may follow some positions, one position after the other, on the model's device.

    rows: which position, (n,), int64. places: where the child lies, as TrieConstraint.children counts, or -1 for the
    end of a name, which comes last; likewise. tokens: likewise.
    """

    rows: Tensor
    places: Tensor
    tokens: Tensor


@dataclass(frozen=True)
class Chains:
    """Nodes, each followed by those behind it as long as there is no choice, one chain after the other.

    nodes: (positions,), int64. below: what may follow each. lengths: nodes of each chain, (chains,), int64.
    """

    nodes: IntArray
    below: Children
    lengths: IntArray


class TrieConstraint:
    """Looks up what may follow trie nodes, in the whole trie (view 0) or in subsets of it (views 1, 2, …)."""

    def __init__(self, trie: PackedTrie, *, eos_token_id: int, vocab_size: int, device: torch.device) -> None:
        """eos_token_id: token that ends a name. vocab_size: size of the LLM's output. device: where its logits are.

        Raises: ArtifactError if the trie holds a token that the LLM lacks.
        """
        if trie.largest_token >= vocab_size:
            raise ArtifactError(f"trie: holds token {trie.largest_token}, the LLM has {vocab_size}; {ADVICE}")
        self.trie, self.eos_token_id, self.device = trie, eos_token_id, device
        with warnings.catch_warnings():
            # The memory map can't be written to, and nothing here writes to it.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
            self._tokens = torch.from_numpy(trie.tokens).to(device)
        self._set_views(())

    def among(self, subsets: Sequence[TrieSubset]) -> TrieConstraint:
        """The same trie with subsets as views 1, 2, …; nothing is copied but their nodes."""
        constraint = object.__new__(TrieConstraint)
        vars(constraint).update(vars(self))
        constraint._set_views(subsets)
        return constraint

    def name_counts(self, views: IntArray) -> IntArray:
        """Names that each view offers, (rows,)."""
        return np.array([view.name_count for view in self._views])[views]

    def children(self, states: IntArray, views: IntArray) -> Children:
        """What follows each state in its view; `first` counts through the nodes of the trie and then of all subsets.

        states: trie nodes, or -1 for none, (rows,). views: likewise.
        """
        if not views.any():
            return self.trie.children(states)
        first, counts = np.zeros((2, len(states)), dtype=np.int64)
        ends = np.zeros(len(states), dtype=np.bool_)
        for view in np.unique(views):
            rows = np.flatnonzero(views == view)
            found = self._views[view].children(states[rows])
            first[rows], counts[rows], ends[rows] = found.first + self._starts[view], found.counts, found.ends
        return Children(first, counts, ends)

    def nodes_at(self, places: IntArray) -> IntArray:
        """The trie node at each place that `children` counts by, (rows,)."""
        if not len(self._subset_nodes):
            return places
        inside = np.minimum(places, len(self.trie) - 1)
        nodes: IntArray = np.where(places == inside, places, self._subset_nodes[places - inside - 1])
        return nodes

    def tokens_into(self, nodes: IntArray) -> IntArray:
        """Token of the edge into each node but the root, (rows,), int64.

        Raises: ArtifactError if a name holds the token that ends names.
        """
        tokens = self.trie.tokens[nodes].astype(np.int64)
        if (tokens == self.eos_token_id).any():
            raise ArtifactError(f"trie: a name holds token {self.eos_token_id}, which ends names; {ADVICE}")
        return tokens

    def heights(self, states: IntArray, views: IntArray) -> IntArray:
        """Tokens of the longest continuation of each state in its view, EOS included, (rows,)."""
        found = np.zeros(len(states), dtype=np.int64)
        for view in np.unique(views):
            rows = views == view
            found[rows] = self._views[view].heights_at(states[rows])
        return found

    def chains(self, states: IntArray, views: IntArray) -> Chains:
        """Follow each state to the first node that offers a choice, or after which the name can only end.

        states: trie nodes, (chains,). views: likewise.
        """
        open_chains, nodes = np.arange(len(states)), states
        steps: list[tuple[IntArray, IntArray, Children]] = []
        while len(open_chains):
            below = self.children(nodes, views[open_chains])
            steps.append((open_chains, nodes, below))
            forced = (below.counts == 1) & ~below.ends
            open_chains, nodes = open_chains[forced], self.nodes_at(below.first[forced])
        chain_of = np.concatenate([chains for chains, _, _ in steps])
        order = np.argsort(chain_of, kind="stable")
        return Chains(
            nodes=np.concatenate([found for _, found, _ in steps])[order],
            below=Children(
                first=np.concatenate([below.first for _, _, below in steps])[order],
                counts=np.concatenate([below.counts for _, _, below in steps])[order],
                ends=np.concatenate([below.ends for _, _, below in steps])[order],
            ),
            lengths=np.bincount(chain_of, minlength=len(states)),
        )

    def best(self, logits: Tensor, below: Children, kept: int) -> Offers:
        """Find the best tokens behind each position.

        logits: (positions, vocab), any float type, on the device. below: what may follow each position. kept: how many
        to find of each. The probability is that of the softmax over the whole vocabulary, in float32.
        Where logits are NaN or infinite, so that there is no probability, the score is NaN.
        """
        counts = below.counts + below.ends
        order = np.argsort(counts, kind="stable")
        counts = counts[order]
        offered = self.offered(Children(below.first[order], below.counts[order], below.ends[order]))
        rows = torch.from_numpy(order).to(self.device).index_select(0, offered.rows)
        found = self._log_probabilities(logits, rows, offered.tokens)
        starts = np.cumsum(counts) - counts
        scores, places = found.new_full((len(counts), kept), -torch.inf), offered.places.new_zeros(len(counts), kept)
        for part in _alike(counts):
            start, width = int(starts[part.start]), int(counts[part.stop - 1])
            flat = slice(start, int(starts[part.stop - 1]) + width)
            first = torch.from_numpy(starts[part]).to(self.device)
            rows = offered.rows[flat] - part.start
            columns = torch.arange(flat.start, flat.stop, device=self.device) - first.index_select(0, rows)
            padded = found.new_full((part.stop - part.start, width), -torch.inf)
            padded[rows, columns] = found[flat]
            top = padded.topk(min(kept, width), dim=1)
            scores[part, : top.values.shape[1]] = top.values
            at = first[:, None] + top.indices
            # What stands for a missing token may lie past the end; its score of -inf says that it means nothing.
            places[part, : top.values.shape[1]] = offered.places[at.clamp_(max=len(found) - 1)]
        back = np.argsort(order)
        best = places.cpu().numpy()[back]
        children = np.where(best < 0, ENDED, self.nodes_at(np.maximum(best, 0)))
        return Offers(scores.cpu().numpy()[back], children)

    def offered(self, below: Children) -> Offered:
        """Lay out all tokens that may follow some positions."""
        counts = below.counts + below.ends
        stops = np.cumsum(counts)
        shifts, sizes, ends = (
            torch.from_numpy(array).to(self.device)
            for array in (below.first - stops + counts, counts, stops[below.ends] - 1)
        )
        total = int(stops[-1])
        rows = torch.repeat_interleave(sizes, output_size=total)
        places = torch.arange(total, device=self.device).add_(shifts.index_select(0, rows)).index_fill_(0, ends, 0)
        tokens = self._tokens.index_select(0, self._nodes_there(places)).long()
        return Offered(rows, places.index_fill_(0, ends, ENDED), tokens.index_fill_(0, ends, self.eos_token_id))

    def _log_probabilities(self, logits: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        """Of each token behind its row, NaN where there is none, float32."""
        # On a CPU a few rows at a time, which stay in its cache: the whole of them would take three times as long.
        at_once = max(1, _LOGITS_AT_ONCE // logits.shape[1]) if self.device.type == "cpu" else len(logits)
        norms = torch.cat([part.float().logsumexp(dim=-1) for part in torch.split(logits, at_once)])
        wanted = logits.flatten().index_select(0, rows * logits.shape[1] + tokens)
        found = wanted.float() - norms.index_select(0, rows)
        return found.where(found.isfinite(), torch.nan)

    def _nodes_there(self, places: Tensor) -> Tensor:
        """As nodes_at, on the device."""
        if not len(self._subset_nodes):
            return places
        inside = places.clamp(max=len(self.trie) - 1)
        return torch.where(places == inside, places, self._subset_nodes_there[places - inside - 1])

    def _set_views(self, subsets: Sequence[TrieSubset]) -> None:
        self._views: list[PackedTrie | TrieSubset] = [self.trie, *subsets]
        sizes = np.array([len(self.trie), *(len(each.nodes) for each in subsets)])
        self._starts = np.cumsum(sizes) - sizes
        self._subset_nodes = np.concatenate([np.zeros(0, dtype=np.int64), *(each.nodes for each in subsets)])
        self._subset_nodes_there = torch.from_numpy(self._subset_nodes).to(self.device)


def _alike(counts: IntArray) -> Iterator[slice]:
    """Cut ascending counts into stretches of similar ones, so that padding costs little."""
    start = 0
    while start < len(counts):
        stop = int(np.searchsorted(counts, _WIDTH_FACTOR * counts[start], side="right"))
        yield slice(start, stop)
        start = stop
