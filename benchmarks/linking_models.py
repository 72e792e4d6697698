"""Models with random weights for `benchmarks.linking`, of small and of published size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

# Tokens below are special ones.
FIRST_PIECE = 3


@dataclass(frozen=True)
class Shape:
    """Size of a model; `family` says which class."""

    family: str
    hidden: int
    layers: int
    heads: int
    inner: int
    vocab: int


@dataclass(frozen=True)
class Vocabulary:
    """Size of a vocabulary, and its special tokens."""

    size: int
    pad: int = 0
    bos: int = 1
    eos: int = 2

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
        """The vocabulary of a tokenizer."""
        pad = tokenizer.pad_token_id or 0
        return cls(len(tokenizer), pad=pad, bos=tokenizer.bos_token_id, eos=tokenizer.eos_token_id)


SHAPES = {
    "small": Shape("llama", hidden=192, layers=4, heads=6, inner=512, vocab=8_000),
    "small-opt": Shape("opt", hidden=192, layers=4, heads=6, inner=768, vocab=8_000),
    "opt-125m": Shape("opt", hidden=768, layers=12, heads=12, inner=3_072, vocab=50_272),
    "llama2-7b": Shape("llama", hidden=4_096, layers=32, heads=32, inner=11_008, vocab=32_000),
    "opt-6.7b": Shape("opt", hidden=4_096, layers=32, heads=32, inner=16_384, vocab=50_272),
}


def make_llm(shape: Shape, vocabulary: Vocabulary, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """A model with random weights and some vocabulary."""
    torch.manual_seed(0)
    common = {
        "vocab_size": vocabulary.size,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "max_position_embeddings": 2_048,
        "pad_token_id": vocabulary.pad,
        "bos_token_id": vocabulary.bos,
        "eos_token_id": vocabulary.eos,
        "tie_word_embeddings": False,
        "dtype": dtype,
    }
    former = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            if shape.family == "llama":
                llm: PreTrainedModel = LlamaForCausalLM(LlamaConfig(intermediate_size=shape.inner, **common))
            else:
                llm = OPTForCausalLM(OPTConfig(ffn_dim=shape.inner, word_embed_proj_dim=shape.hidden, **common))
    finally:
        torch.set_default_dtype(former)
    # A fresh head scores all tokens nearly alike; then rounding would decide between names.
    llm.lm_head.weight.data.normal_(std=3 * shape.hidden**-0.5)
    return llm.eval().requires_grad_(False)
