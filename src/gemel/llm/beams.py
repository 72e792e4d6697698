"""The beam rule: which continuations live on, which names are finished, and when a mention is decided.

It is the rule of Hugging Face's `generate` with early_stopping=False and length_penalty=1, for several mentions at
once. What has no beam or no candidate is told by a -1 state or an explicit mark, never by a very low score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gemel.entities.constraint import ENDED, Candidates
from gemel.entities.trie import NONE, ROOT, IntArray

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
NamesAt = Callable[[IntArray], IntArray]


@dataclass(frozen=True)
class Ranked:
    """The best continuations of each mention, best first; each array (rows, kept).

    offered: False where the mention has fewer continuations; the other arrays mean nothing there.
    scores: summed log-probability, float32. parents: beam that is continued. tokens: token that is added.
    children: trie node that it leads to, or -1 where a name ends.
    """

    offered: BoolArray
    scores: FloatArray
    parents: IntArray
    tokens: IntArray
    children: IntArray


@dataclass(frozen=True)
class Beams:
    """Live beams and finished names of several mentions, one row each, on the host.

    mentions: the caller's index of each row, (rows,). length: tokens generated so far.
    states: trie node of each live beam, -1 for a place without one, (rows, beams). Beams are in order of score.
    tokens: last token of each, likewise. scores: summed log-probability of each, likewise, float32.
    ancestors: which generated slots each beam descends from, its own included, (rows, beams, slots).
    finished_names: index of each finished name, best first, -1 for a free place, (rows, num_beams).
    finished_scores: mean log-probability per token of each, -inf in a free place, likewise, float32.
    """

    mentions: IntArray
    length: int
    states: IntArray
    tokens: IntArray
    scores: FloatArray
    ancestors: BoolArray
    finished_names: IntArray
    finished_scores: FloatArray

    @classmethod
    def start(cls, mentions: IntArray, num_beams: int) -> Beams:
        """One beam per mention, at the root, with nothing generated."""
        rows = len(mentions)
        return cls(
            mentions=mentions,
            length=0,
            states=np.full((rows, 1), ROOT),
            tokens=np.full((rows, 1), NONE),
            scores=np.zeros((rows, 1), dtype=np.float32),
            ancestors=np.zeros((rows, 1, 0), dtype=np.bool_),
            finished_names=np.full((rows, num_beams), NONE),
            finished_scores=np.full((rows, num_beams), -np.inf, dtype=np.float32),
        )

    def advance(self, ranked: Ranked, names_at: NamesAt) -> Beams:
        """Add one token: finish names, and choose the beams that live on.

        ranked: the best 2 x num_beams continuations. names_at: trie nodes -> index of the name
        that ends at each, or -1.
        """
        num_beams = self.finished_names.shape[1]
        places = np.arange(ranked.offered.shape[1])
        ends = ranked.offered & (ranked.children == ENDED)
        goes_on = ranked.offered & ~ends
        # An end counts only among the best num_beams; the other half of the ranks is there so that beams live on.
        names, means = self._finish(ranked, ends & (places < num_beams), names_at)
        width = min(num_beams, int(goes_on.sum(axis=1).max(initial=0)))
        chosen = np.argsort(~goes_on, axis=1, kind="stable")[:, :width]
        lives = np.take_along_axis(goes_on, chosen, axis=1)
        return replace(
            self,
            length=self.length + 1,
            states=np.where(lives, np.take_along_axis(ranked.children, chosen, axis=1), NONE),
            # Any token does where no beam lives: nothing ever looks at its slot.
            tokens=np.where(lives, np.take_along_axis(ranked.tokens, chosen, axis=1), 0),
            scores=np.take_along_axis(ranked.scores, chosen, axis=1),
            ancestors=self._descend(np.take_along_axis(ranked.parents, chosen, axis=1)),
            finished_names=names,
            finished_scores=means,
        )

    def decided(self) -> BoolArray:
        """Tell which mentions are done, (rows,): nothing lives, or nothing that lives is better than what is finished.

        The rule looks at a live beam's mean so far; a longer name could still reach a better one. That is how
        early_stopping=False is defined.
        """
        if not self.states.shape[1]:
            return np.ones(len(self.mentions), dtype=np.bool_)
        full = (self.finished_names != NONE).all(axis=1)
        worse = self.scores[:, 0] / np.float32(self.length) <= self.finished_scores[:, -1]
        decided: BoolArray = (self.states[:, 0] == NONE) | (full & worse)
        return decided

    def keep(self, order: IntArray) -> Beams:
        """Keep only some rows, in the given order."""
        taken: dict[str, Any] = {
            name: array[order] for name, array in vars(self).items() if isinstance(array, np.ndarray)
        }
        return replace(self, **taken)

    def _finish(self, ranked: Ranked, ends: BoolArray, names_at: NamesAt) -> tuple[IntArray, FloatArray]:
        """Merge the names that end now into the finished ones; return the best of both, (rows, num_beams) each."""
        parents = np.take_along_axis(self.states, np.where(ends, ranked.parents, 0), axis=1)
        new_names = np.where(ends, names_at(parents), NONE)
        new_means = np.where(ends, ranked.scores / np.float32(self.length + 1), -np.inf).astype(np.float32)
        names = np.concatenate((self.finished_names, new_names), axis=1)
        means = np.concatenate((self.finished_scores, new_means), axis=1)
        best = np.argsort(-means, axis=1, kind="stable")[:, : self.finished_names.shape[1]]
        return np.take_along_axis(names, best, axis=1), np.take_along_axis(means, best, axis=1)

    def _descend(self, parents: IntArray) -> BoolArray:
        """Give each chosen beam its parent's ancestors and a slot of its own behind all others."""
        rows, width = parents.shape
        inherited = self.ancestors[np.arange(rows)[:, None], parents]
        own = np.broadcast_to(np.eye(width, dtype=np.bool_), (rows, width, width))
        return np.concatenate((inherited, own), axis=2)


def rank(token_scores: Tensor, candidates: Candidates, shape: tuple[int, int], kept: int) -> Ranked:
    """Order each mention's candidates by score and keep the best.

    token_scores: summed log-probability with each candidate, (candidates,), float32. shape: (rows, beams) that the
    candidates' rows count through. kept: how many to keep of each mention.
    """
    rows, beams = shape
    counts = candidates.counts.reshape(rows, beams).sum(axis=1)
    firsts = torch.from_numpy(np.cumsum(counts) - counts).to(token_scores.device)
    mention_of = candidates.rows // beams
    places = torch.arange(len(token_scores), device=token_scores.device) - firsts[mention_of]
    padded = token_scores.new_full((rows, int(counts.max())), -torch.inf)
    padded[mention_of, places] = token_scores
    scores, best = padded.topk(min(kept, padded.shape[1]), dim=1)
    # Ranks behind a mention's last candidate point into its neighbour or past the end; `offered` marks them.
    flat = (firsts[:, None] + best).clamp_(max=len(token_scores) - 1)
    picked = torch.stack((candidates.rows[flat] % beams, candidates.tokens[flat], candidates.children[flat]))
    parents, tokens, children = picked.cpu().numpy()
    return Ranked(
        offered=np.arange(scores.shape[1]) < counts[:, None],
        scores=scores.cpu().numpy(),
        parents=parents,
        tokens=tokens,
        children=children,
    )
