"""Entity names as token ids. A module of its own, as no stage but the trie's is to run again for it."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from gemel.entities.trie_build import NameTokens

NAMES_AT_ONCE = 50_000


def tokenize_names(names: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> NameTokens:
    """Token ids of each name alone, without BOS or EOS, as FrozenLLM.encode gives them."""
    # A piece at a time: lists of a few numbers for each of millions of names would take gigabytes.
    pieces = [
        NameTokens.of(
            tokenizer(list(names[start : start + NAMES_AT_ONCE]), add_special_tokens=False, split_special_tokens=True)[
                "input_ids"
            ]
        )
        for start in range(0, len(names), NAMES_AT_ONCE)
    ]
    return NameTokens.joined(pieces)
