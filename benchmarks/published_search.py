"""The baseline of `benchmarks.linking`: constrained beam search as GENRE and its followers publish it.

A trie of nested dicts behind Hugging Face's `generate` with `prefix_allowed_tokens_fn`, one mention at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel


class NestedTrie:
    """The published trie: a dict per node, looked up from the root at each step."""

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self.root: dict[int, Any] = {}
        for sequence in sequences:
            node = self.root
            for token in sequence:
                node = node.setdefault(token, {})

    def get(self, prefix: Sequence[int]) -> list[int]:
        node = self.root
        for token in prefix:
            if token not in node:
                return []
            node = node[token]
        return list(node)


def published_search(
    llm: PreTrainedModel, prompt: Tensor, trie: NestedTrie, *, num_beams: int, max_new_tokens: int
) -> list[tuple[list[int], float]]:
    """Search one mention as published; return (token ids, score) pairs, best first.

    prompt: embedded, (length, llm_dim). trie: of names that end with the model's end-of-sequence token.
    """
    end = llm.config.eos_token_id

    def allowed(_: int, tokens: Tensor) -> list[int]:
        # `generate` also goes on with beams that are over, at a score of -1e9, and refuses an empty list for them.
        return trie.get(tokens.tolist()) or [end]

    output = llm.generate(
        inputs_embeds=prompt[None],
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long, device=prompt.device),
        prefix_allowed_tokens_fn=allowed,
        num_beams=num_beams,
        num_return_sequences=num_beams,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    sequences = [tokens[: tokens.index(end)] for tokens in output.sequences.tolist()]
    return list(zip(sequences, output.sequences_scores.tolist(), strict=True))
