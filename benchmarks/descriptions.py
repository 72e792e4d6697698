"""How much a post speaks for an entity's description, by the frozen LLM: a feature of `benchmarks.rescoring`.

The description stands where the answer would: behind the post's soft tokens, its text and the question. Its mean
log-likelihood there, less the one behind a bare answer mark, is what the post says for it: descriptions differ in how
likely they are anywhere. Of the two ways round, this one lets the image speak, too; the post's text given the
description would leave it out. Demonstrations are left out, as they hold no descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import cross_entropy

from gemel.core.schema import Mention
from gemel.llm.backbone import FrozenLLM
from gemel.llm.ragged import RaggedReader
from gemel.llm.segments import Segment, embed_segments
from gemel.tasks.linking.prompt import query_segment

MENTIONS_AT_ONCE = 16
BARE = "[Answer]"
Values = npt.NDArray[np.float64]


class DescriptionGains:
    """What posts say for the descriptions of entities, in nats per token."""

    def __init__(self, llm: FrozenLLM, descriptions: Mapping[str, str]) -> None:
        """descriptions: by entity id; an entity without one, or with an empty one, gains 0."""
        self._llm, self._reader = llm, RaggedReader(llm.model)
        self._ids = {entity_id: tuple(llm.encode(words)) for entity_id, words in descriptions.items() if words}
        self._anywhere = cache(self._bare)

    @torch.inference_mode()
    def of_beams(
        self, posts: Sequence[tuple[str, str, torch.Tensor | None]], beams: Sequence[list[str]]
    ) -> list[Values]:
        """Of each beam's candidates, in order.

        posts: of each mention its text, the mention's string, and the image's soft tokens or None. beams: entity ids.
        """
        found: list[Values] = []
        for start in range(0, len(beams), MENTIONS_AT_ONCE):
            taken = slice(start, start + MENTIONS_AT_ONCE)
            found += self._some(posts[taken], beams[taken])
        return found

    def _some(self, posts: Sequence[tuple[str, str, torch.Tensor | None]], beams: Sequence[list[str]]) -> list[Values]:
        gains = [np.zeros(len(beam)) for beam in beams]
        places = [
            (row, at, self._ids[e]) for row, beam in enumerate(beams) for at, e in enumerate(beam) if e in self._ids
        ]
        prompts = [
            query_segment(text, Mention(mention), soft, self._llm.encode, self._llm.context)
            for text, mention, soft in posts
        ]
        values = self._log_likelihoods([prompts[row] for row, *_ in places], [ids for *_, ids in places])
        for (row, at, ids), value in zip(places, values, strict=True):
            gains[row][at] = value - self._anywhere(ids)
        return gains

    def _bare(self, ids: tuple[int, ...]) -> float:
        (value,) = self._log_likelihoods([Segment(tuple(self._llm.encode(BARE)))], [ids])
        return value

    def _log_likelihoods(self, prompts: Sequence[Segment], targets: Sequence[tuple[int, ...]]) -> list[float]:
        """Mean log-likelihood of each target's tokens behind its prompt."""
        if not targets:
            return []
        whole = [
            embed_segments((prompt, Segment(ids[:-1])), self._llm.embedding)
            for prompt, ids in zip(prompts, targets, strict=True)
        ]
        with self._reader.on():
            hidden = self._reader.read(whole)
        ends = np.cumsum([len(each) for each in whole]).tolist()
        at_targets = torch.cat([hidden[end - len(ids) : end] for end, ids in zip(ends, targets, strict=True)])
        wanted = torch.tensor([token for ids in targets for token in ids], device=hidden.device)
        losses = cross_entropy(self._llm.logits(at_targets).float(), wanted, reduction="none")
        return [-float(part.mean()) for part in torch.split(losses, [len(ids) for ids in targets])]
