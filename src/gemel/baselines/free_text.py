"""An LLM without the trie: it writes whatever it likes behind a prompt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from transformers import GenerationConfig

from gemel.llm.backbone import FrozenLLM
from gemel.llm.segments import Prompt, embed_segments


@dataclass(frozen=True)
class Written:
    """A text that the LLM wrote.

    score: mean log-probability per token, the end included; NaN with one beam, to which transformers gives none.
    """

    text: str
    score: float


class FreeWriter:
    """Writes by beam search without any constraint, by transformers' `generate`.

    A text is what comes before the end of sequence or the first line break, without white space around it.
    """

    def __init__(self, llm: FrozenLLM, *, num_beams: int, new_tokens: int, positions_at_once: int) -> None:
        """new_tokens: of a text, end included, at most. positions_at_once: of the prompts of all beams together."""
        self._llm, self._num_beams, self._new_tokens = llm, num_beams, new_tokens
        self._positions_at_once = positions_at_once

    @torch.inference_mode()
    def write(self, prompts: Sequence[Prompt]) -> list[list[Written]]:
        """The different texts that the beams end with behind each prompt, best first."""
        found: dict[int, list[Written]] = {}
        for batch in self._batches([prompt.context_length + prompt.query_length for prompt in prompts]):
            found |= zip(batch, self._write_behind([prompts[place] for place in batch]), strict=True)
        return [found[place] for place in range(len(prompts))]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Places of prompts of one length, which need no padding, and no more of them than fit."""
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        for length, group in groupby(order, key=lengths.__getitem__):
            places, size = list(group), max(1, self._positions_at_once // (length * self._num_beams))
            yield from (places[start : start + size] for start in range(0, len(places), size))

    def _write_behind(self, prompts: Sequence[Prompt]) -> Iterator[list[Written]]:
        """prompts: of one length."""
        embedded = [embed_segments((*each.context, *each.query), self._llm.embedding) for each in prompts]
        inputs = torch.stack(embedded)
        output = self._llm.model.generate(  # type: ignore[operator]
            inputs_embeds=inputs,
            attention_mask=torch.ones(inputs.shape[:2], dtype=torch.long, device=inputs.device),
            generation_config=self._config(),
        )
        texts = self._llm.tokenizer.batch_decode(
            output.sequences, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        scores = output.sequences_scores.tolist() if self._num_beams > 1 else [math.nan] * len(texts)
        written = [Written(text.split("\n", 1)[0].strip(), score) for text, score in zip(texts, scores, strict=True)]
        for start in range(0, len(written), self._num_beams):
            # A beam that ends with a line break and one that ends the sequence may hold the same text.
            best: dict[str, Written] = {}
            for each in written[start : start + self._num_beams]:
                best.setdefault(each.text, each)
            yield list(best.values())

    def _config(self) -> GenerationConfig:
        eos, line_break = self._llm.eos_token_id, self._llm.encode("\n")[-1:]
        return GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=self._new_tokens,
            num_beams=self._num_beams,
            num_return_sequences=self._num_beams,
            do_sample=False,
            eos_token_id=[eos, *line_break],
            pad_token_id=eos,
            return_dict_in_generate=True,
            output_scores=True,
        )
