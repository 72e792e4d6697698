"""The race of `benchmarks.linking`: ours, the published algorithm and the plain reading of prompts, in turns.

Turns are slices of mentions, in alternating order, so that whatever else the machine does hits all of them. Wall time
and the process's CPU time are both taken; on a busy machine the latter says more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from benchmarks.linking_inputs import Group
from benchmarks.published_search import NestedTrie, published_search
from gemel.core.errors import BackboneError
from gemel.entities.trie_build import NameTokens, build_trie
from gemel.llm.batches import SLOTS_PER_BEAM
from gemel.llm.search import BeamSearch, Hypotheses
from gemel.llm.segments import Prompt, Segment, embed_segments

BEAMS = 5
GIB = 2**30
Pairs = list[tuple[list[int], float]]


@dataclass
class Cost:
    """What a contestant has taken: wall and CPU seconds for some mentions."""

    wall: float = 0.0
    work: float = 0.0
    mentions: int = 0

    def over(self, other: Cost) -> tuple[float, float]:
        """How many times another's cost for a mention, by wall time and by CPU time."""
        share = other.mentions / self.mentions
        return share * self.wall / other.wall, share * self.work / other.work


@dataclass
class Race:
    """Runs the contestants and adds up their costs.

    found: our result of each mention. published: the baseline's, of the mentions that it ran. floor: read each prompt
    alone. shared_floor: read what several prompts share once, then each query.
    """

    llm: PreTrainedModel
    names: NameTokens
    num_beams: int = BEAMS
    costs: dict[str, Cost] = field(default_factory=dict)
    found: dict[int, Hypotheses] = field(default_factory=dict)
    published: dict[int, Pairs] = field(default_factory=dict)
    peak_bytes: int = 0

    def __post_init__(self) -> None:
        self.trie = build_trie(self.names)
        self.end = int(self.llm.config.eos_token_id)
        self.search = BeamSearch(self.llm, self.trie, eos_token_id=self.end, num_beams=self.num_beams)
        self.name_ids = self.names.to_lists()
        self.nested = NestedTrie([(*name, self.end) for name in self.name_ids])

    def run(self, groups: Sequence[Group], per_slice: int, baseline_mentions: int) -> None:
        """Race over all mentions; the baseline takes part for a random sample of them."""
        prompts = [prompt for group in groups for prompt in group]
        sample = set(np.random.default_rng(0).permutation(len(prompts))[:baseline_mentions].tolist())
        contestants = {"ours": self.ours, "baseline": self.baseline, "floor": self.floor}
        if any(len(group) > 1 for group in groups):
            contestants["shared_floor"] = self.shared_floor
        for name, contestant in contestants.items():
            self.timed(name, contestant, prompts[:1])
        self.costs.clear()
        order = list(contestants)
        for taken in slices(groups, per_slice):
            for name in order:
                mentions = [mention for mention in taken if mention in sample] if name == "baseline" else [*taken]
                results = self.timed(name, contestants[name], [prompts[mention] for mention in mentions])
                if name in ("ours", "baseline"):
                    (self.found if name == "ours" else self.published).update(zip(mentions, results, strict=True))
            order.reverse()

    def timed(self, name: str, contestant: Callable[[list[Any]], list[Any]], prompts: list[Prompt]) -> list[Any]:
        """Run one contestant on some prompts, and add to its cost."""
        # What embeds prompts is no part of the published search, nor of the floor.
        given = [self.embed(prompt) for prompt in prompts] if name in ("baseline", "floor") else prompts
        self._wait()
        wall, work = time.perf_counter(), time.process_time()
        results = contestant(given)
        self._wait()
        cost = self.costs.setdefault(name, Cost())
        cost.wall += time.perf_counter() - wall
        cost.work += time.process_time() - work
        cost.mentions += len(prompts)
        return results

    def embed(self, prompt: Prompt) -> Tensor:
        """A prompt as rows of embeddings, (length, llm_dim)."""
        with torch.inference_mode():
            return embed_segments((*prompt.context, *prompt.query), self.llm.get_input_embeddings())

    def ours(self, prompts: list[Prompt]) -> list[Hypotheses]:
        on_cuda = self.llm.device.type == "cuda"
        if on_cuda:
            torch.cuda.reset_peak_memory_stats()
        found = self.search.find(prompts)
        if on_cuda:
            self.peak_bytes = max(self.peak_bytes, torch.cuda.max_memory_allocated())
        return found

    def baseline(self, prompts: list[Tensor]) -> list[Pairs]:
        return [
            published_search(self.llm, prompt, self.nested, num_beams=self.num_beams, max_new_tokens=self.trie.depth)
            for prompt in prompts
        ]

    @torch.inference_mode()
    def floor(self, prompts: list[Tensor]) -> list[Tensor]:
        """Only read each prompt: the least that any exact search of prompts with nothing in common must do."""
        return [self.llm(inputs_embeds=prompt[None], use_cache=True, logits_to_keep=1).logits for prompt in prompts]

    @torch.inference_mode()
    def shared_floor(self, prompts: list[Prompt]) -> list[Tensor]:
        """Read what prompts share once, then each query behind it."""
        found = []
        for _, run in groupby(prompts, key=lambda prompt: id(prompt.context)):
            sharing = list(run)
            if len(sharing) == 1:
                found += self.floor([self.embed(sharing[0])])
                continue
            cache = DynamicCache(config=self.llm.config)
            self._read(sharing[0].context, cache)
            for prompt in sharing:
                found.append(self._read(prompt.query, cache))
                cache.crop(-prompt.query_length)
        return found

    def _read(self, segments: Sequence[Segment], cache: DynamicCache) -> Tensor:
        rows = embed_segments(segments, self.llm.get_input_embeddings())[None]
        logits: Tensor = self.llm(inputs_embeds=rows, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        return logits

    def _wait(self) -> None:
        if self.llm.device.type == "cuda":
            torch.cuda.synchronize()


@dataclass(frozen=True)
class Difference:
    """How our results differ from the baseline's, over the mentions that both ran.

    names: best names that differ. lists: whole lists that differ. largest_score: largest difference of the scores that
    both give a name at the same place.
    """

    names: int
    lists: int
    largest_score: float


def compare(race: Race) -> Difference:
    """Compare our results with the baseline's."""
    names, lists, largest = 0, 0, 0.0
    for mention, pairs in race.published.items():
        ours = race.found[mention]
        our_names = [race.name_ids[index] for index in ours.name_indices]
        # Where there are fewer names than beams, `generate` fills up with names at very low scores.
        real = [(tokens, score) for tokens, score in pairs if score > -1e6]
        names += our_names[0] != real[0][0]
        lists += our_names != [tokens for tokens, _ in real]
        placed = zip(our_names, ours.scores, real, strict=False)
        largest = max([largest, *(abs(score - other) for name, score, (tokens, other) in placed if name == tokens)])
    return Difference(names, lists, largest)


@dataclass(frozen=True)
class Alone:
    """Mentions searched one at a time. different: share of best names that differ from those of the race."""

    latency_ms: float
    different: float


def search_alone(race: Race, prompts: Sequence[Prompt], mentions: int) -> Alone:
    """Search some mentions of the race again, one call of `find` for each; the latency is the median."""
    sample = np.random.default_rng(1).permutation(len(prompts))[:mentions].tolist()
    seconds, different = [], 0
    for mention in sample:
        cost = Cost()
        race.costs["alone"] = cost
        found = race.timed("alone", race.search.find, [prompts[mention]])[0]
        seconds.append(cost.wall)
        different += found.name_indices[0] != race.found[mention].name_indices[0]
    return Alone(float(np.median(seconds)) * 1e3, different / len(sample))


def largest_batch(race: Race, prompts: Sequence[Prompt], most: int) -> int:
    """The most mentions that are searched together before memory ends, found by doubling up to `most`.

    No two of them share a context.
    """
    fitting, count = 0, 1
    while count <= most:
        taken = [prompts[place % len(prompts)] for place in range(count)]
        unlike = [Prompt(prompt.query, (*prompt.context,)) for prompt in taken]
        width = max(prompt.context_length + prompt.query_length for prompt in taken)
        budget = count * (width + SLOTS_PER_BEAM * race.num_beams)
        search = BeamSearch(race.llm, race.trie, eos_token_id=race.end, num_beams=race.num_beams, tokens_at_once=budget)
        try:
            search.find(unlike)
        except BackboneError:
            break
        if search.tokens_at_once < budget:
            break
        fitting, count = count, 2 * count
    return fitting


def slices(groups: Sequence[Group], per_slice: int) -> Iterator[range]:
    """Cut mentions, numbered in the order of their groups, into slices of about a size that part no group."""
    start = end = 0
    for group in groups:
        end += len(group)
        if end - start >= per_slice:
            yield range(start, end)
            start = end
    if start < end:
        yield range(start, end)
