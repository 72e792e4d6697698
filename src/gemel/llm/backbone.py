"""The frozen language model and its tokenizer, and all that differs between families of models.

Nothing here or elsewhere names a family. Where one keeps its embeddings is asked of transformers, what it does behind
its hidden states is left to its own code, and its context is read off its config. Whether that holds for a model is
tried out when it is loaded (see `probe`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutputWithPast

from gemel.core.errors import BackboneError

# Layers that see every position, or every one of a window: in prompts that fit the window they are the same.
_FULL, _WINDOWS = {"full_attention"}, {"sliding_attention", "chunked_attention"}
# Where configs state the longest sequence, and windows that some or all layers have.
_LONGEST = ("max_position_embeddings", "max_seq_len")
_WINDOW = ("sliding_window", "attention_chunk_size", "window_size")


@dataclass(frozen=True)
class FrozenLLM:
    """A causal language model whose weights never change, with its tokenizer.

    commit: of the hub, where the model has one.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    commit: str | None = None

    @property
    def embedding(self) -> nn.Module:
        """The input embedding: token ids -> (…, llm_dim)."""
        return self.model.get_input_embeddings()

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

    def logits(self, hidden: Tensor) -> Tensor:
        """The logits behind hidden states, as the model itself makes them: head, and what scales or caps its output.

        hidden: of `model.base_model`, (positions, hidden size). Returns: (positions, vocabulary); differentiable.
        """
        # The class's own forward: a library that quantizes may have put another one on the instance.
        output = type(self.model).forward(self._behind_base, inputs_embeds=hidden[None], use_cache=False)
        logits: Tensor = output.logits[0]
        return logits

    @cached_property
    def _behind_base(self) -> PreTrainedModel:
        """The model with nothing in place of its base; the modules behind it are the same objects."""
        behind = copy.copy(self.model)
        behind._modules = self.model._modules | {self.model.base_model_prefix: _Nothing()}
        return behind

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without BOS or EOS; words like "</s>" in it are words, and end nothing."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
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


class _Hidden(BaseModelOutputWithPast):
    """Hidden states alone; what else a family hands on from its base (router logits, states) is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class _Nothing(nn.Module):
    """Stands in place of a base model, and gives back as hidden states what it was given."""

    @property
    def decoder(self) -> _Nothing:
        """Where some families look for their layers."""
        return self

    def forward(self, *_ids: None, inputs_embeds: Tensor, **_options: Any) -> _Hidden:
        return _Hidden(last_hidden_state=inputs_embeds)


def context_limit(model: PreTrainedModel) -> int:
    """Positions of the longest sequence that a model reads as a whole: no more than its config states, nor its window.

    Raises: BackboneError if it keeps a state in place of what it read, or its config states no longest sequence.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or _FULL)
    if getattr(model, "_is_stateful", False) or not kinds <= _FULL | _WINDOWS:
        raise BackboneError(
            f"{config.model_type}: has layers {sorted(kinds)} that don't look back at what was read; beams can't "
            "share a prompt with those, so choose an LLM of attention alone"
        )
    longest = _stated(config, _LONGEST)
    if not longest:
        raise BackboneError(
            f"{config.model_type}: its config states no longest sequence ({' or '.join(_LONGEST)}); choose another LLM"
        )
    windows = _stated(config, _WINDOW) if kinds & _WINDOWS or not hasattr(config, "layer_types") else []
    return min([*longest, *windows])


def _stated(config: Any, names: tuple[str, ...]) -> list[int]:
    values = [getattr(config, name, None) for name in names]
    return [value for value in values if isinstance(value, int) and value > 0]
