"""The frozen language model and its tokenizer, loaded from a folder or a hub id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel, PreTrainedTokenizerBase

from gemel.core.errors import BackboneError
from gemel.core.settings import Weights
from gemel.llm.tokens import load_tokenizer, loading_advice


@dataclass(frozen=True)
class FrozenLLM:
    """A causal language model whose weights never change, with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def embedding(self) -> nn.Module:
        """The input embedding: token ids -> (…, llm_dim)."""
        return self.model.get_input_embeddings()

    @property
    def head(self) -> nn.Module:
        """The LM head: hidden states (…, hidden size) -> logits (…, vocabulary)."""
        head: nn.Module = self.model.get_output_embeddings()  # type: ignore[no-untyped-call]
        return head

    @property
    def width(self) -> int:
        """Width of an input embedding; with OPT-350m it differs from the hidden size."""
        return int(next(self.embedding.parameters()).shape[1])

    @property
    def context(self) -> int:
        """Positions of the longest sequence that the model reads."""
        return context_limit(self.model)

    @cached_property
    def eos_token_id(self) -> int:
        """The token that ends a name."""
        return int(self.tokenizer.eos_token_id)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without BOS or EOS."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def leading_ids(self, leading_bos: bool) -> tuple[int, ...]:
        """What stands before the first segment of a prompt: nothing, or BOS.

        Raises: BackboneError if BOS is asked for and the tokenizer has none.
        """
        if not leading_bos:
            return ()
        if self.tokenizer.bos_token_id is None:
            raise BackboneError(f"{self.tokenizer.name_or_path}: no BOS token; set leading_bos: false")
        return (int(self.tokenizer.bos_token_id),)


def context_limit(model: PreTrainedModel) -> int:
    """Positions of the longest sequence that a model reads."""
    return int(model.config.get_text_config().max_position_embeddings)


def load_llm(
    name: str,
    revision: str | None = None,
    *,
    dtype: str = "float32",
    device: str = "cpu",
    weights: Weights = "full",
) -> FrozenLLM:
    """Load a frozen LLM from a local folder or a hub id, safetensors only.

    dtype: a torch dtype by name. device: a torch device. weights: see LLMSettings.
    Raises: BackboneError if it or the library that quantizes can't be had, saying what to do.
    """
    tokenizer = load_tokenizer(name, revision)
    options: dict[str, Any] = {} if weights == "full" else _quantized(weights, getattr(torch, dtype), device)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            name, revision=revision, dtype=getattr(torch, dtype), use_safetensors=True, **options
        )
    except (OSError, SafetensorError, ValueError) as error:
        raise BackboneError(loading_advice(name, error)) from error
    model.requires_grad_(False)
    model.train(False)
    if weights == "full":
        nn.Module.to(model, device)
    return FrozenLLM(model, tokenizer)


def _quantized(weights: Weights, dtype: torch.dtype, device: str) -> dict[str, Any]:
    """How transformers is told to quantize on loading."""
    if not all(find_spec(library) for library in ("bitsandbytes", "accelerate")):
        raise BackboneError(
            f"backbone.llm.weights: {weights} needs bitsandbytes and accelerate, which are not installed; run "
            "`pip install 'gemel[quantized]'`, or set weights: full"
        )
    bits = {"load_in_8bit": True} if weights == "8bit" else {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    config = BitsAndBytesConfig(**bits, bnb_4bit_compute_dtype=dtype)  # type: ignore[no-untyped-call]
    return {"quantization_config": config, "device_map": {"": device}}
