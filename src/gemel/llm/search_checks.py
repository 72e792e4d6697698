"""What a search refuses: models and prompts that it can't search, and memory that does not suffice for one prompt."""

from __future__ import annotations

from torch import Tensor
from transformers import PreTrainedModel

from gemel.core.errors import BackboneError, ShapeError
from gemel.llm.backbone import context_limit
from gemel.llm.batches import Row
from gemel.llm.segments import Prompt, Segment

# Attention implementations that heed an explicit 4-D mask.
_MASKED_ATTENTION = ("sdpa", "eager")


def check_model(llm: PreTrainedModel) -> None:
    """Exchange attention that ignores masks for SDPA.

    Raises: BackboneError if the model is in training mode or can't be searched.
    """
    config = llm.config.get_text_config()
    if llm.training:
        raise BackboneError(f"{config.model_type}: in training mode, so dropout would change names; call llm.eval()")
    context_limit(llm)
    if config._attn_implementation not in _MASKED_ATTENTION:
        llm.set_attn_implementation("sdpa")


def check_prompt(llm: PreTrainedModel, mention: int, prompt: Prompt, depth: int) -> None:
    """depth: tokens of the longest name, its end included.

    Raises: ShapeError if the prompt has another width than the LLM, no query, or leaves no room for a name.
    """
    width = llm.get_input_embeddings().get_parameter("weight").shape[1]
    for segment in (*prompt.context, *prompt.query):
        _check_width(mention, segment, width)
    length, most = prompt.context_length + prompt.query_length, context_limit(llm)
    if not prompt.query_length:
        raise ShapeError(f"prompt {mention}: its query has no position; there is nothing to go on from")
    # The last token of a name is never read, so depth - 1 positions suffice.
    if length + depth - 1 > most:
        raise ShapeError(
            f"prompt {mention}: {length} positions and names up to {depth} tokens exceed the model's {most}; use "
            "fewer demonstrations or a shorter text"
        )


def no_memory(row: Row, llm: PreTrainedModel, reason: str) -> BackboneError:
    """The error for a row of one mention that alone needs too much memory. reason: as torch states it."""
    return BackboneError(
        f"mention {row.mentions[0]}: its prompt of {row.width} positions alone needs more memory than {llm.device} has "
        f"({reason}); use fewer demonstrations or beams, a smaller dtype, or quantized weights"
    )


def _check_width(mention: int, segment: Segment, width: int) -> None:
    prefix = segment.prefix
    if isinstance(prefix, Tensor) and (prefix.ndim != 2 or prefix.shape[1] != width):
        raise ShapeError(
            f"prompt {mention}: expected soft tokens (length, {width}), got {tuple(prefix.shape)}; the mapper was "
            "trained for another LLM: run `dvc repro mapper`"
        )
