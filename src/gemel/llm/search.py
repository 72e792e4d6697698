"""Constrained beam search: which entity names a frozen LLM would go on with.

Each prompt is read once, and what several prompts share once for all of them. Beams then share a prompt's keys and
values (see `cache`), and where the trie leaves one way to go on, its tokens are read together. The result is that of
Hugging Face's `generate` (see `beams`), which instead reads each prompt once per beam, copies all keys and values at
every step, and takes each token in a step of its own.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from gemel.core.errors import BackboneError, ConfigError
from gemel.core.settings import TOKENS_AT_ONCE
from gemel.entities.constraint import Offers, TrieConstraint
from gemel.entities.subset import TrieSubset
from gemel.entities.trie import NONE, ROOT, BoolArray, Children, IntArray, PackedTrie
from gemel.llm.batches import Row, make_batches, make_rows
from gemel.llm.beams import Beams, Positions
from gemel.llm.cache import SharedPromptCache
from gemel.llm.kept_contexts import KeptContexts
from gemel.llm.reading import Reader
from gemel.llm.search_checks import check_model, check_prompt, no_memory
from gemel.llm.segments import Prompt

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hypotheses:
    """The names found for one mention, best first.

    name_indices: entities as the trie numbers them, all different unless the trie has owners, that is, several names of
    an entity. scores: mean log-probability per generated token, end-of-sequence included, natural logarithm of the
    softmax over the whole vocabulary.
    """

    name_indices: tuple[int, ...]
    scores: tuple[float, ...]


class BeamSearch:
    """Finds names for prompts. Threads may share it.

    tokens_at_once: falls by half when memory runs out, and stays there. kept: contexts for the searches to come; None
    where none are kept.
    """

    def __init__(
        self,
        llm: PreTrainedModel,
        trie: PackedTrie,
        *,
        eos_token_id: int,
        num_beams: int,
        tokens_at_once: int = TOKENS_AT_ONCE,
        kept_bytes: int = 0,
    ) -> None:
        """llm: decoder-only model in evaluation mode; attention that ignores masks is exchanged for SDPA. num_beams: of
        each mention.

        tokens_at_once: positions of the cache that are in use together; it bounds the memory for keys and values and
        does not change the result. A prompt that alone has more is searched alone. kept_bytes: of the LLM's device, for
        keys and values of contexts that come again, of prompts with a context_key; 0: none are kept.
        Raises: ConfigError if a number is below 1, or kept_bytes below 0. BackboneError if the model can't be searched.
        ArtifactError if the trie is of another tokenizer.
        """
        for setting, value in (("num_beams", num_beams), ("tokens_at_once", tokens_at_once)):
            if value < 1:
                raise ConfigError(f"{setting}: must be at least 1, got {value}")
        if kept_bytes < 0:
            raise ConfigError(f"kept_bytes: must be at least 0, got {kept_bytes}")
        check_model(llm)
        self._llm, self._num_beams, self.tokens_at_once = llm, num_beams, tokens_at_once
        self.kept = KeptContexts(kept_bytes) if kept_bytes else None
        vocab_size = llm.config.get_text_config().vocab_size
        self._constraint = TrieConstraint(trie, eos_token_id=eos_token_id, vocab_size=vocab_size, device=llm.device)

    def find(
        self,
        prompts: Sequence[Prompt],
        *,
        among: Sequence[TrieSubset | None] | None = None,
        results: int | None = None,
    ) -> list[Hypotheses]:
        """Find the best names for each prompt.

        among: the names to choose among for each prompt; None: all. results: names that are wanted of each, at most
        num_beams, which is the default; with fewer the search ends as soon as these are certain. Fewer come back where
        there are fewer names or the beam met fewer, but never none.
        Raises: ConfigError if results is below 1. ShapeError if a prompt has another width or leaves no room for a
        name. BackboneError if the LLM's logits are not finite, or one prompt alone needs more memory than there is.
        """
        if results is not None and results < 1:
            raise ConfigError(f"results: must be at least 1, got {results}")
        choices = [None] * len(prompts) if among is None else among
        views, constraint = self._views(choices, len(prompts))
        for mention, (prompt, subset) in enumerate(zip(prompts, choices, strict=True)):
            check_prompt(self._llm, mention, prompt, (subset or constraint.trie).depth)
        limits = np.minimum(self._num_beams, constraint.name_counts(views))
        cache = SharedPromptCache(self._llm)
        task = _Task(self._llm, constraint, views, limits, results or self._num_beams, cache, self.kept)
        found: dict[int, Hypotheses] = {}
        with torch.inference_mode():
            self._run(task, make_rows(prompts), found)
        return [found[mention] for mention in range(len(prompts))]

    def _run(self, task: _Task, rows: list[Row], found: dict[int, Hypotheses]) -> None:
        """Search batch after batch; where one needs too much memory, go on without kept contexts, then with batches
        of half the size."""
        waiting = deque(make_batches(rows, self._num_beams, self.tokens_at_once))
        while waiting:
            batch = waiting.popleft()
            try:
                found.update(task.search(batch))
                continue
            except torch.OutOfMemoryError as error:
                reason = str(error).splitlines()[0]
            # Behind the handler, whose traceback would keep the batch's tensors alive.
            kept, task = task.kept, replace(task, cache=SharedPromptCache(self._llm), kept=None)
            if kept is not None:
                kept.halve()
                log.warning("out of memory; going on without kept contexts, then with %d bytes of them", kept.max_bytes)
                waiting.appendleft(batch)
            else:
                waiting = self._smaller(batch, waiting, reason)
            if self._llm.device.type == "cuda":
                torch.cuda.empty_cache()

    def _smaller(self, batch: list[Row], waiting: Iterable[list[Row]], reason: str) -> deque[list[Row]]:
        """The rows of a batch that needs too much memory, and of those behind it, in batches of half its size.

        Raises: BackboneError if it is of one mention.
        """
        if len(batch) == 1 and len(batch[0].mentions) == 1:
            raise no_memory(batch[0], self._llm, reason)
        held = len(batch) * max(row.width for row in batch)
        self.tokens_at_once = max(1, min(self.tokens_at_once, held) // 2)
        log.warning("out of memory with %d positions; going on with %d at once", held, self.tokens_at_once)
        rest = [row for other in (batch, *waiting) for row in other]
        if len(batch) == 1:
            rest = [*batch[0].halves(), *rest[1:]]
        return deque(make_batches(rest, self._num_beams, self.tokens_at_once))

    def _views(self, among: Sequence[TrieSubset | None], count: int) -> tuple[IntArray, TrieConstraint]:
        """The view of each prompt, and the constraint that has these views."""
        if len(among) != count:
            raise ConfigError(f"among: expected one entry for each of {count} prompts, got {len(among)}")
        subsets = {id(subset): subset for subset in among if subset is not None}
        number = {key: view for view, key in enumerate(subsets, 1)}
        views = np.array([0 if subset is None else number[id(subset)] for subset in among], dtype=np.int64)
        return views, self._constraint.among(list(subsets.values())) if subsets else self._constraint


@dataclass(frozen=True)
class _Task:
    """What all batches of one call have in common.

    views, limits: of each mention, (mentions,). kept: contexts that need not be read; None where none are kept.
    """

    llm: PreTrainedModel
    constraint: TrieConstraint
    views: IntArray
    limits: IntArray
    results: int
    cache: SharedPromptCache
    kept: KeptContexts | None

    def search(self, batch: Sequence[Row]) -> Iterator[tuple[int, Hypotheses]]:
        """Yield each mention's index and result as soon as it is decided."""
        mentions = np.array([mention for row in batch for mention in row.mentions])
        beams = Beams.start(mentions, self.views[mentions], self.limits[mentions])
        reader = Reader(self.llm, self.cache, batch, beams.width, self.kept)
        roots = self.constraint.children(np.full(len(mentions), ROOT), beams.views)
        kept = Positions(self._offers(reader.read_prompts(), roots, beams.mentions, beams.width))
        # Behind the check of the logits: what can't be used is not kept.
        reader.keep_contexts()
        while True:
            decided = self._step(beams, kept)
            for row in np.flatnonzero(decided):
                yield int(beams.mentions[row]), self._hypotheses(beams, int(row))
            if decided.all():
                return
            if decided.any():
                beams.keep(reader.keep(np.flatnonzero(~decided)))
            self._read_on(beams, kept, reader)

    def _step(self, beams: Beams, kept: Positions) -> BoolArray:
        """Let each mention step on until it is decided or the LLM must read; tell which are decided, (rows,)."""
        decided = np.zeros(len(beams.mentions), dtype=np.bool_)
        while True:
            ready = np.flatnonzero(~decided & ~beams.unread().any(axis=1))
            if not len(ready):
                return decided
            beams.advance(ready, kept, self.constraint)
            decided |= beams.decided(self.results, self.constraint)

    def _read_on(self, beams: Beams, kept: Positions, reader: Reader) -> None:
        """Read every unread beam, and with it the tokens behind it that leave no choice."""
        at = np.nonzero(beams.unread())
        chains = self.constraint.chains(beams.states[at], beams.views[at[0]])
        logits = reader.read_chains(beams, self.constraint.tokens_into(chains.nodes), chains.lengths)
        mentions = np.repeat(beams.mentions[at[0]], chains.lengths)
        offers = self._offers(logits, chains.below, mentions, beams.width)
        beams.positions[at] = kept.append(offers, chains.lengths)

    def _offers(self, logits: Tensor, below: Children, mentions: IntArray, width: int) -> Offers:
        """The best that may follow each position. mentions: whose it is.

        Raises: BackboneError if its logits are not finite.
        """
        # Twice the beams: as many as may end there, and as many to go on with.
        offers = self.constraint.best(logits, below, 2 * width)
        broken = np.isnan(offers.scores).any(axis=1)
        if broken.any():
            raise BackboneError(
                f"mention {mentions[broken][0]}: the LLM's logits are NaN or infinite; check the prompt's embeddings, "
                "the weights, and fp16 overflow (bfloat16 has none)"
            )
        return offers

    def _hypotheses(self, beams: Beams, row: int) -> Hypotheses:
        taken = slice(min(self.results, int(beams.limits[row])))
        names, means = beams.names[row, taken], beams.means[row, taken]
        found = names != NONE
        return Hypotheses(tuple(names[found].tolist()), tuple(means[found].tolist()))
