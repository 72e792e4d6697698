"""The trie at generation time: which tokens may follow, for all live beams at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gemel.core.errors import ArtifactError
from gemel.entities.subset import TrieSubset
from gemel.entities.trie import NONE, IntArray, PackedTrie

ENDED = NONE
ADVICE = "it was built for another tokenizer; run `dvc repro entity_trie`"


@dataclass(frozen=True)
class Candidates:
    """All tokens that may follow some beams, flat and sorted by beam.

    rows: the beam that a token follows, as its position in the states asked for, (n,), int64, on the model's device.
    tokens: the token, likewise. children: trie node it leads to, or -1 where it is end-of-sequence and the name of
    the beam's own node is complete, likewise. counts: number of candidates of each beam, (rows,), int64, on the host.
    """

    rows: Tensor
    tokens: Tensor
    children: Tensor
    counts: IntArray


@dataclass(frozen=True)
class TrieConstraint:
    """Looks up the allowed tokens of beams.

    eos_token_id: token that ends a name. vocab_size: size of the LLM's output. device: where candidates are wanted.
    """

    trie: PackedTrie | TrieSubset
    eos_token_id: int
    vocab_size: int
    device: torch.device

    def __post_init__(self) -> None:
        """Raises: ArtifactError if the trie holds a token that the LLM lacks."""
        if self.trie.largest_token >= self.vocab_size:
            found = f"holds token {self.trie.largest_token}, the LLM has {self.vocab_size}"
            raise ArtifactError(f"trie: {found}; {ADVICE}")

    def candidates(self, states: IntArray) -> Candidates:
        """Return what may follow each beam: the trie's children, and end-of-sequence where a name ends.

        states: trie node of each beam, or -1 for a place without a beam, which gets no candidates; (rows,).
        Raises: ArtifactError if a name holds the token that ends names.
        """
        below = self.trie.continuations(states)
        self._refuse_end(below.tokens)
        tokens = np.where(below.tokens == NONE, self.eos_token_id, below.tokens)
        return Candidates(
            rows=torch.from_numpy(below.rows).to(self.device),
            tokens=torch.from_numpy(tokens).to(self.device),
            children=torch.from_numpy(below.children).to(self.device),
            counts=below.counts,
        )

    def _refuse_end(self, tokens: IntArray) -> None:
        if (tokens == self.eos_token_id).any():
            raise ArtifactError(f"trie: a name holds token {self.eos_token_id}, which ends names; {ADVICE}")
