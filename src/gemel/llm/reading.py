"""The forward passes of a batch: its prompts, and the tokens that its beams have taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from gemel.entities.trie import IntArray
from gemel.llm.batches import SLOTS_PER_BEAM, Row, prompt_lengths
from gemel.llm.beams import Beams, BoolArray
from gemel.llm.cache import SharedPromptCache
from gemel.llm.segments import Segment, embed_segments


class Reader:
    """Reads what the mentions of a batch hold, each position once.

    rows: of the cache, by mention, (mentions,). lengths: positions of each mention's prompt, likewise.
    """

    def __init__(self, llm: PreTrainedModel, cache: SharedPromptCache, batch: Sequence[Row], num_beams: int) -> None:
        """cache: its memory is used anew."""
        most = max(len(row.mentions) for row in batch)
        width = max(row.width for row in batch)
        self._llm, self._batch, self._cache = llm, batch, cache
        cache.begin(len(batch), width, SLOTS_PER_BEAM * num_beams * most)
        self.rows: IntArray = np.repeat(np.arange(len(batch)), [len(row.mentions) for row in batch])
        self.lengths = prompt_lengths(batch)
        self._seen = np.concatenate([_seen(row, width) for row in batch])

    def read_prompts(self) -> Tensor:
        """Read each context and query once; return the logits behind each prompt, (mentions, vocab).

        Whole prompts run unpadded, with those of equal length together: a padding mask would cost the causal attention
        kernel.
        """
        # Rows of one mention come first: their prompts share nothing.
        alone = sum(len(row.mentions) == 1 for row in self._batch)
        whole, shared = self._read_whole(range(alone)), self._read_shared(range(alone, len(self._batch)))
        return torch.cat([*whole, *shared])

    def read_chains(self, beams: Beams, tokens: IntArray, lengths: IntArray) -> Tensor:
        """Read chains of tokens behind the beams that are unread; return the logits behind each token, (tokens, vocab).

        tokens: of one chain after the other, (tokens,). lengths: of each chain, in the order of beams.unread().
        The beams get the slots of their chains as ancestors.
        """
        mention_of, beam_of = np.nonzero(beams.unread())
        chain = np.repeat(np.arange(len(lengths)), lengths)
        behind = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = self.rows[mention_of[chain]]
        columns, width = _columns(rows, self._count)
        token_ids, positions = np.zeros((2, self._count, width), dtype=np.int64)
        token_ids[rows, columns] = tokens
        real = np.zeros((self._count, width), dtype=np.bool_)
        real[rows, columns] = True
        positions[rows, columns] = (self.lengths + beams.lengths - 1)[mention_of[chain]] + behind
        visible = self._visible(beams, mention_of[chain], beam_of[chain], rows, columns, chain, width)
        self._cache.write_slots(self._count, width)
        logits: Tensor = self._llm(
            input_ids=torch.from_numpy(token_ids).to(self._llm.device),
            # Slots of a row are a tree, not a sequence: order says nothing about who sees whom, or at which position.
            attention_mask=self._cache.mask(visible),
            position_ids=torch.from_numpy(positions).to(self._llm.device),
            past_key_values=self._cache,
            use_cache=True,
            # The head is a good part of a small model: padding goes without.
            logits_to_keep=torch.from_numpy(real).to(self._llm.device),
        ).logits
        own = np.zeros((*beams.states.shape, width), dtype=np.bool_)
        own[mention_of[chain], beam_of[chain], columns] = True
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

    def _read_whole(self, run: range) -> Iterator[Tensor]:
        for _, equal in groupby(run, key=lambda row: self._batch[row].width):
            rows = list(equal)
            prompts = [self._batch[row].prompts[0] for row in rows]
            embeddings = torch.stack([self._embed((*prompt.context, *prompt.query)) for prompt in prompts])
            yield self._read_causal(slice(rows[0], rows[-1] + 1), embeddings)

    def _read_shared(self, run: range) -> Iterator[Tensor]:
        read: dict[int, int] = {}
        for place in run:
            row = self._batch[place]
            context = row.prompts[0].context
            source = read.setdefault(id(context), place)
            if source == place:
                self._read_causal(slice(place, place + 1), self._embed(context)[None])
            else:
                self._cache.copy_prompt(source, place, row.context_length)
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
        behind = np.arange(len(of_query)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        visible = np.ones((1, len(of_query), row.width), dtype=np.bool_)
        visible[0, :, row.context_length :] = np.tril(of_query[:, None] == of_query)
        self._cache.write(slice(place, place + 1), row.context_length)
        ends = torch.from_numpy(np.cumsum(lengths) - 1).to(self._llm.device)
        logits: Tensor = self._llm(
            inputs_embeds=embeddings[None],
            attention_mask=self._cache.mask(visible),
            position_ids=torch.from_numpy(row.context_length + behind).to(self._llm.device)[None],
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=ends,
        ).logits
        return logits[0]

    def _embed(self, segments: tuple[Segment, ...]) -> Tensor:
        return embed_segments(segments, self._llm.get_input_embeddings()).to(self._llm.device, self._llm.dtype)

    def _visible(
        self,
        beams: Beams,
        mentions: IntArray,
        places: IntArray,
        rows: IntArray,
        columns: IntArray,
        chain: IntArray,
        width: int,
    ) -> BoolArray:
        """Which positions each new token sees: its mention's prompt, its beam's ancestors, its chain up to itself."""
        prompt, slots = self._seen.shape[1], self._cache.slots
        visible = np.zeros((self._count, width, prompt + slots + width), dtype=np.bool_)
        visible[rows, columns, :prompt] = self._seen[mentions]
        visible[rows, columns, prompt : prompt + slots] = beams.ancestors[mentions, places]
        chains = np.full((self._count, width), -1)
        chains[rows, columns] = chain
        visible[:, :, prompt + slots :] = np.tril(chains[:, :, None] == chains[:, None])
        return visible


def _seen(row: Row, width: int) -> BoolArray:
    """Which positions of its row each mention's prompt takes, (mentions, width)."""
    ends = row.context_length + np.cumsum(row.query_lengths)
    at = np.arange(width)
    starts = ends - row.query_lengths
    seen: BoolArray = (at < row.context_length) | ((at >= starts[:, None]) & (at < ends[:, None]))
    return seen


def _columns(rows: IntArray, count: int) -> tuple[IntArray, int]:
    """Number the entries of each row; rows: sorted, (entries,). Returns the numbers and the most entries of a row."""
    sizes = np.bincount(rows, minlength=count)
    return np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes), int(sizes.max())


def _close_gaps(held: IntArray, rows: int) -> IntArray:
    """Return the order that keeps some rows: in place where possible, the last ones in the gaps."""
    order = np.arange(len(held))
    free = np.ones(rows, dtype=np.bool_)
    free[held] = False
    order[free[: len(held)]] = held[held >= len(held)]
    return order
