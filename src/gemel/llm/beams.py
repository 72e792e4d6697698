"""The beam rule: which continuations live on, which names are finished, and when a mention is decided.

It is the rule of Hugging Face's `generate` with early_stopping=False and length_penalty=1. Mentions step on by
themselves, each as far as the LLM has read: what may follow a position is kept, and a beam points to its position. What
has no beam or no candidate is told by a -1 state or a score of -inf, never by a very low score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.entities.constraint import ENDED, FloatArray, Offers, TrieConstraint
from gemel.entities.trie import NONE, ROOT, BoolArray, IntArray

UNREAD = NONE


class Positions:
    """What may follow each position that was read, kept while its batch is searched.

    scores, children: as of Offers, (positions, 2 x num_beams). following: for a position inside a chain of single
    continuations, the position behind it, which was read with it; else -1.
    """

    def __init__(self, offers: Offers) -> None:
        """The first positions: the ends of the prompts."""
        self.scores, self.children = offers.scores, offers.children
        self.following = np.full(len(offers.scores), UNREAD)

    def append(self, offers: Offers, lengths: IntArray) -> IntArray:
        """Add chains of positions, one behind the other; return where each chain starts.

        lengths: positions of each chain, (chains,).
        """
        before = len(self.scores)
        self.scores = np.concatenate((self.scores, offers.scores))
        self.children = np.concatenate((self.children, offers.children))
        following = np.arange(before, len(self.scores)) + 1
        ends = before + np.cumsum(lengths)
        following[ends - before - 1] = UNREAD
        self.following = np.concatenate((self.following, following))
        return ends - lengths


@dataclass
class Beams:
    """Live beams and finished names of a batch of mentions, one row each, on the host; beams are in order of score.

    mentions: the caller's index of each, (rows,). views: view of the trie that it is searched in, likewise.
    limits: beams that it may have, likewise; the arrays have room for the most. lengths: tokens generated, likewise.
    states: trie node of each live beam, -1 for a place without one, (rows, beams). scores: summed log-probability of
    each, likewise, float32. positions: where what may follow it is kept, -1 if the LLM has not read it, likewise.
    ancestors: which generated slots of the cache each descends from, (rows, beams, slots).
    names: index of each finished name, best first, -1 for a free place, (rows, beams). means: mean log-probability per
    token of each, -inf in a free place, likewise, float32.
    """

    mentions: IntArray
    views: IntArray
    limits: IntArray
    lengths: IntArray
    states: IntArray
    scores: FloatArray
    positions: IntArray
    ancestors: BoolArray
    names: IntArray
    means: FloatArray

    @classmethod
    def start(cls, mentions: IntArray, views: IntArray, limits: IntArray) -> Beams:
        """One beam per mention, at the root, its position the mention's row."""
        rows, width = len(mentions), int(limits.max())
        states, positions = np.full((2, rows, width), NONE)
        states[:, 0], positions[:, 0] = ROOT, np.arange(rows)
        return cls(
            mentions=mentions,
            views=views,
            limits=limits,
            lengths=np.zeros(rows, dtype=np.int64),
            states=states,
            scores=np.zeros((rows, width), dtype=np.float32),
            positions=positions,
            ancestors=np.zeros((rows, width, 0), dtype=np.bool_),
            names=np.full((rows, width), NONE),
            means=np.full((rows, width), -np.inf, dtype=np.float32),
        )

    @property
    def width(self) -> int:
        """Most beams of a mention."""
        return int(self.states.shape[1])

    def unread(self) -> BoolArray:
        """Tell which beams the LLM has yet to read, (rows, beams)."""
        unread: BoolArray = (self.states != NONE) & (self.positions == UNREAD)
        return unread

    def advance(self, rows: IntArray, kept: Positions, constraint: TrieConstraint) -> None:
        """Add one token to some mentions: finish names, and choose the beams that live on.

        rows: mentions whose beams have all been read. kept: what may follow the positions.
        """
        width, limits, each = self.width, self.limits[rows, None], np.arange(len(rows))[:, None]
        positions = self.positions[rows]
        totals = np.where(positions == UNREAD, -np.inf, self.scores[rows])[..., None] + kept.scores[positions]
        totals = totals.reshape(len(rows), -1)
        ranked = np.argsort(-totals, axis=1, kind="stable")[:, : 2 * width]
        scores = totals[each, ranked].astype(np.float32)
        parents, places = np.divmod(ranked, kept.scores.shape[1])
        at = positions[each, parents]
        children = kept.children[at, places]
        ranks = np.arange(2 * width)
        offered = np.isfinite(scores) & (ranks < 2 * limits)
        ends = offered & (children == ENDED)
        # An end counts only among the best num_beams; the other half of the ranks is there so that beams live on.
        self._finish(rows, ends & (ranks < limits), parents, scores, constraint)
        goes_on = offered & ~ends
        chosen = np.argsort(~goes_on, axis=1, kind="stable")[:, :width]
        lives = goes_on[each, chosen] & (ranks[:width] < limits)
        self.lengths[rows] += 1
        self.states[rows] = np.where(lives, children[each, chosen], NONE)
        self.scores[rows] = np.where(lives, scores[each, chosen], 0)
        self.positions[rows] = np.where(lives, kept.following[at[each, chosen]], UNREAD)
        self.ancestors[rows] = self.ancestors[rows[:, None], parents[each, chosen]]

    def decided(self, results: int, constraint: TrieConstraint) -> BoolArray:
        """Tell which mentions are done, (rows,): nothing lives, or nothing that lives can be among the results.

        results: how many of the best names are wanted. The library's rule compares a live beam's mean so far with the
        last finished name; a longer name could still reach a better mean, and that is how early_stopping=False is
        defined. Where fewer names are wanted than there are beams, a mention is also done once no live beam can reach
        the last of these, however well it goes on: a sum only falls, and the trie says how long it can become.
        """
        rows = np.arange(len(self.mentions))
        alive = (self.states != NONE).any(axis=1)
        last = self.means[rows, self.limits - 1]
        done = ~alive | (np.isfinite(last) & (self.scores[:, 0] / np.maximum(self.lengths, 1) <= last))
        wanted = self.means[rows, np.minimum(results, self.limits) - 1]
        # Where all are wanted, the rule has always ended the search before the bound could.
        open_rows = np.flatnonzero(~done & np.isfinite(wanted) & (results < self.limits))
        if len(open_rows):
            states = self.states[open_rows]
            views = np.repeat(self.views[open_rows], self.width)
            heights = constraint.heights(states.reshape(-1), views).reshape(states.shape)
            reach = self.scores[open_rows] / (self.lengths[open_rows, None] + heights)
            best = np.where(states == NONE, -np.inf, reach).max(axis=1)
            done[open_rows] = best <= wanted[open_rows]
        decided: BoolArray = done
        return decided

    def keep(self, rows: IntArray) -> None:
        """Keep only some rows, in the given order."""
        for name, array in vars(self).items():
            setattr(self, name, array[rows])

    def _finish(
        self, rows: IntArray, ends: BoolArray, parents: IntArray, scores: FloatArray, constraint: TrieConstraint
    ) -> None:
        """Merge the names that end now into the finished ones, and keep the best of both."""
        if not ends.any():
            return
        each = np.arange(len(rows))[:, None]
        found = constraint.trie.names_at(self.states[rows][each, np.where(ends, parents, 0)])
        names = np.concatenate((self.names[rows], np.where(ends, found, NONE)), axis=1)
        lengths = (self.lengths[rows, None] + 1).astype(np.float32)
        means = np.concatenate((self.means[rows], np.where(ends, scores / lengths, np.float32(-np.inf))), axis=1)
        # A later name goes behind an earlier one of the same score, as a later beam does.
        best = np.argsort(-means, axis=1, kind="stable")[:, : self.width]
        self.names[rows], self.means[rows] = names[each, best], means[each, best]
