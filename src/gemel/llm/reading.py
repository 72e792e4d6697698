"""The forward passes of a batch: its prompts, and the tokens that its beams have taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from gemel.entities.trie import BoolArray, IntArray
from gemel.llm.batches import SLOTS_PER_BEAM, Row, prompt_lengths
from gemel.llm.beams import Beams
from gemel.llm.cache import SharedPromptCache
from gemel.llm.kept_contexts import KeptContexts
from gemel.llm.segments import Segment, embed_segments


@dataclass(frozen=True)
class _Slots:
    """Where the tokens of some chains go, each array (tokens,).

    chains, mentions, beams: whose a token is. rows, columns: its row of the cache, and its place among the row's new
    slots. width: new slots of each row, padding included.
    """

    chains: IntArray
    mentions: IntArray
    beams: IntArray
    rows: IntArray
    columns: IntArray
    width: int


class Reader:
    """Reads what the mentions of a batch hold, each position once.

    rows: of the cache, by mention, (mentions,). lengths: positions of each mention's prompt, likewise.
    """

    def __init__(
        self,
        llm: PreTrainedModel,
        cache: SharedPromptCache,
        batch: Sequence[Row],
        num_beams: int,
        kept: KeptContexts | None = None,
    ) -> None:
        """cache: its memory is used anew. kept: contexts that need not be read; None where none are kept."""
        most = max(len(row.mentions) for row in batch)
        width = max(row.width for row in batch)
        self._llm, self._batch, self._cache, self._kept = llm, batch, cache, kept
        cache.begin(len(batch), width, SLOTS_PER_BEAM * num_beams * most)
        self.rows: IntArray = np.repeat(np.arange(len(batch)), [len(row.mentions) for row in batch])
        self.lengths = prompt_lengths(batch)
        self._seen = np.concatenate([_seen(row, width) for row in batch])
        self._restored = [self._restore(place, row) for place, row in enumerate(batch)]

    def read_prompts(self) -> Tensor:
        """Read each context that is not kept, and each query, once; return the logits behind each prompt, (mentions,
        vocab).

        Whole prompts run unpadded, with those of equal length together: a padding mask would cost the causal attention
        kernel.
        """
        # Rows of one mention come first: their prompts share nothing.
        alone = sum(len(row.mentions) == 1 for row in self._batch)
        lone, shared = self._read_alone(range(alone)), self._read_shared(range(alone, len(self._batch)))
        return torch.cat([*lone, *shared])

    def keep_contexts(self) -> None:
        """Hand the contexts that were read to those that are kept; to be called before any row is given up."""
        for place, row in enumerate(self._batch):
            if self._kept is not None and row.context_key is not None and not self._restored[place]:
                size = self._cache.prompt_bytes(row.context_length)
                copy = partial(self._cache.copy_of_prompt, place, row.context_length)
                self._kept.keep(row.context_key, size, copy)

    def read_chains(self, beams: Beams, tokens: IntArray, lengths: IntArray) -> Tensor:
        """Read chains of tokens behind the beams that are unread; return the logits behind each token, (tokens, vocab).

        tokens: of one chain after the other, (tokens,). lengths: of each chain, in the order of beams.unread().
        The beams get the slots of their chains as ancestors.
        """
        slots = self._lay_out(beams, lengths)
        positions = (self.lengths + beams.lengths - 1)[slots.mentions] + _numbered(lengths)
        visible = self._visible(beams, slots)
        self._cache.write_slots(self._count, slots.width)
        logits: Tensor = self._llm(
            input_ids=self._placed(slots, tokens),
            # Slots of a row are a tree, not a sequence: order says nothing about who sees whom, or at which position.
            attention_mask=self._cache.mask(visible),
            position_ids=self._placed(slots, positions),
            past_key_values=self._cache,
            use_cache=True,
            # The head is a good part of a small model: padding goes without.
            logits_to_keep=self._placed(slots, np.ones(len(tokens), dtype=np.bool_)),
        ).logits
        own = np.zeros((*beams.states.shape, slots.width), dtype=np.bool_)
        own[slots.mentions, slots.beams, slots.columns] = True
        beams.ancestors = np.concatenate((beams.ancestors, own), axis=2)
        return logits

    def keep(self, mentions: IntArray) -> IntArray:
        """Keep only some mentions, and the rows that they are in; return these mentions in their new order."""
        held = np.unique(self.rows[mentions])
        order = _close_gaps(held, self._count)
        self._cache.keep(order)
        place = np.full(self._count, -1)
        place[order] = np.arange(len(order))
        rows = place[self.rows[mentions]]
        new = np.argsort(rows, kind="stable")
        mentions = mentions[new]
        self.rows, self.lengths, self._seen = rows[new], self.lengths[mentions], self._seen[mentions]
        return mentions

    @property
    def _count(self) -> int:
        return int(self.rows[-1]) + 1

    def _restore(self, place: int, row: Row) -> bool:
        """Give a row its context, if that is kept; tell whether it is."""
        layers = None if self._kept is None or row.context_key is None else self._kept.find(row.context_key)
        if layers is not None:
            self._cache.restore_prompt(place, layers)
        return layers is not None

    def _read_alone(self, run: range) -> Iterator[Tensor]:
        for (restored, _), equal in groupby(run, key=lambda place: (self._restored[place], self._batch[place].width)):
            rows = list(equal)
            if restored:
                yield from (self._read_queries(place, self._batch[place]) for place in rows)
                continue
            prompts = [self._batch[row].prompts[0] for row in rows]
            embeddings = torch.stack([self._embed((*prompt.context, *prompt.query)) for prompt in prompts])
            yield self._read_causal(slice(rows[0], rows[-1] + 1), embeddings)

    def _read_shared(self, run: range) -> Iterator[Tensor]:
        read: dict[int, int] = {}
        for place in run:
            row = self._batch[place]
            context = row.prompts[0].context
            source = read.setdefault(id(context), place)
            if source != place:
                self._cache.copy_prompt(source, place, row.context_length)
            elif not self._restored[place]:
                self._read_causal(slice(place, place + 1), self._embed(context)[None])
            yield self._read_queries(place, row)

    def _read_causal(self, rows: slice, embeddings: Tensor) -> Tensor:
        self._cache.write(rows, 0)
        output = self._llm(inputs_embeds=embeddings, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        logits: Tensor = output.logits[:, -1]
        return logits

    def _read_queries(self, place: int, row: Row) -> Tensor:
        """Read the queries behind a context that has been read; return the logits behind each, (mentions, vocab)."""
        embeddings = torch.cat([self._embed(prompt.query) for prompt in row.prompts])
        lengths = np.array(row.query_lengths)
        of_query = np.repeat(np.arange(len(lengths)), lengths)
        visible = np.ones((1, len(of_query), row.width), dtype=np.bool_)
        visible[0, :, row.context_length :] = np.tril(of_query[:, None] == of_query)
        self._cache.write(slice(place, place + 1), row.context_length)
        ends = torch.from_numpy(np.cumsum(lengths) - 1).to(self._llm.device)
        logits: Tensor = self._llm(
            inputs_embeds=embeddings[None],
            attention_mask=self._cache.mask(visible),
            position_ids=torch.from_numpy(row.context_length + _numbered(lengths)).to(self._llm.device)[None],
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=ends,
        ).logits
        return logits[0]

    def _embed(self, segments: tuple[Segment, ...]) -> Tensor:
        return embed_segments(segments, self._llm.get_input_embeddings()).to(self._llm.device, self._llm.dtype)

    def _lay_out(self, beams: Beams, lengths: IntArray) -> _Slots:
        """Give each token of the chains behind unread beams a slot. lengths: of each chain."""
        chains = np.repeat(np.arange(len(lengths)), lengths)
        mention_of, beam_of = np.nonzero(beams.unread())
        rows = self.rows[mention_of[chains]]
        sizes = np.bincount(rows, minlength=self._count)
        return _Slots(chains, mention_of[chains], beam_of[chains], rows, _numbered(sizes), int(sizes.max()))

    def _placed(self, slots: _Slots, values: IntArray | BoolArray) -> Tensor:
        """One value for each token, in its slot; zero in the padding: (rows, width), on the LLM's device."""
        placed = np.zeros((self._count, slots.width), dtype=values.dtype)
        placed[slots.rows, slots.columns] = values
        return torch.from_numpy(placed).to(self._llm.device)

    def _visible(self, beams: Beams, slots: _Slots) -> BoolArray:
        """Which positions each new token sees: its mention's prompt, its beam's ancestors, its chain up to itself."""
        prompt, before = self._seen.shape[1], self._cache.slots
        visible = np.zeros((self._count, slots.width, prompt + before + slots.width), dtype=np.bool_)
        visible[slots.rows, slots.columns, :prompt] = self._seen[slots.mentions]
        visible[slots.rows, slots.columns, prompt : prompt + before] = beams.ancestors[slots.mentions, slots.beams]
        chains = np.full((self._count, slots.width), -1)
        chains[slots.rows, slots.columns] = slots.chains
        visible[:, :, prompt + before :] = np.tril(chains[:, :, None] == chains[:, None])
        return visible


def _seen(row: Row, width: int) -> BoolArray:
    """Which positions of its row each mention's prompt takes, (mentions, width)."""
    ends = row.context_length + np.cumsum(row.query_lengths)
    at = np.arange(width)
    starts = ends - row.query_lengths
    seen: BoolArray = (at < row.context_length) | ((at >= starts[:, None]) & (at < ends[:, None]))
    return seen


def _numbered(lengths: IntArray) -> IntArray:
    """Number the members of runs that lie one behind the other, each run from 0. lengths: of each run, (runs,)."""
    ends = np.cumsum(lengths)
    numbers: IntArray = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    return numbers


def _close_gaps(held: IntArray, rows: int) -> IntArray:
    """Return the order that keeps some rows: in place where possible, the last ones in the gaps."""
    order = np.arange(len(held))
    free = np.ones(rows, dtype=np.bool_)
    free[held] = False
    order[free[: len(held)]] = held[held >= len(held)]
    return order
