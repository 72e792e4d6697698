"""Prompts of different lengths in one forward pass, one behind the other, without padding.

Everything in a decoder but its attention works on one position at a time, and does not care whose it is. So all prompts
form one row, and only the attention takes them apart: each prompt attends to itself, through the kernel that the model
would use for it alone, with its causal mask built in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from gemel.core.errors import BackboneError

_PREFIX = "ragged_"


class RaggedReader:
    """Reads prompts with a decoder, for a gradient to go through it.

    The model reads so inside `with reader.on():` and as usual outside; a backward pass belongs inside, too. With SDPA
    or flash attention all prompts are read in one pass, with eager attention one after the other.
    """

    def __init__(self, model: PreTrainedModel, *, recompute: bool = False, compile: bool = False) -> None:
        """recompute: activation checkpointing, layers keep their input alone and are computed again in the backward
        pass. compile: by torch.compile, each layer by itself, for any length.
        """
        self._model = model
        layers = [layer for layer in model.modules() if isinstance(layer, GradientCheckpointingLayer)]
        self._forwards = [(layer, _forward(layer.forward, recompute, compile)) for layer in layers]

    @contextmanager
    def on(self) -> Iterator[None]:
        """The model's layers and attention are the reader's, until the block is left."""
        attention, usual = self._attention, [(layer, layer.forward) for layer, _ in self._forwards]
        _set(self._forwards)
        if self._packs:
            self._model.set_attn_implementation(_ragged(attention))
        try:
            yield
        finally:
            self._model.set_attn_implementation(attention)
            _set(usual)

    def read(self, prompts: Sequence[Tensor]) -> Tensor:
        """Return the states that the LM head takes, of one prompt after the other.

        prompts: embeddings, (length, llm_dim) each. Returns: (sum of the lengths, hidden size); differentiable.
        """
        if not self._attention.startswith(_PREFIX):
            return torch.cat([self._states(prompt[None]) for prompt in prompts])
        lengths = [len(prompt) for prompt in prompts]
        positions = torch.cat([torch.arange(length) for length in lengths]).to(self._model.device)
        return self._states(torch.cat(list(prompts))[None], position_ids=positions[None], prompt_lengths=lengths)

    @property
    def _attention(self) -> str:
        return str(self._model.config._attn_implementation)

    @property
    def _packs(self) -> bool:
        return self._attention in ALL_ATTENTION_FUNCTIONS and bool(self._model._supports_attention_backend)

    def _states(self, embeddings: Tensor, **options: Any) -> Tensor:
        output = self._model.base_model(inputs_embeds=embeddings, use_cache=False, **options)
        states: Tensor = output.last_hidden_state[0]
        return states


def _forward(forward: Callable[..., Any], recompute: bool, compile: bool) -> Callable[..., Any]:
    if compile:
        forward = torch.compile(forward, dynamic=True)
    # The library's own switch needs a layer in training mode, where OPT's dropout would set in.
    return partial(checkpoint, forward, use_reentrant=False) if recompute else forward


def _set(forwards: list[tuple[GradientCheckpointingLayer, Callable[..., Any]]]) -> None:
    for layer, forward in forwards:
        layer.forward = forward


def _ragged(usual: str) -> str:
    """The name of the attention that takes prompts apart; the library makes no mask for a name it has none for."""
    name = _PREFIX + usual
    if name not in ALL_ATTENTION_FUNCTIONS:
        AttentionInterface.register(name, _attention_within(ALL_ATTENTION_FUNCTIONS[usual]))
    return name


def _attention_within(attend: Callable[..., tuple[Tensor, Any]]) -> Any:
    """An attention function that calls the usual one for each prompt by itself."""

    # A loop over prompts of ever new lengths: compiled code around it stays the same for all of them.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def ragged_attention(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        *,
        prompt_lengths: Sequence[int] | None = None,
        **options: Any,
    ) -> tuple[Tensor, None]:
        if prompt_lengths is None:
            raise BackboneError(
                f"{type(module).__name__}: the model does not hand options on to its attention, so prompts can't be "
                "read together; set backbone.llm.attention: eager"
            )
        parts = (torch.split(states, list(prompt_lengths), dim=2) for states in (query, key, value))
        found = [attend(module, *each, attention_mask, **options)[0] for each in zip(*parts, strict=True)]
        return torch.cat(found, dim=1), None

    return ragged_attention
