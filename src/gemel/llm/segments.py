"""Prompts as lists of segments, and their embeddings: what stands before a segment's text, then the text's tokens."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gemel.core.errors import ShapeError


@dataclass(frozen=True)
class Segment:
    """A demonstration or the query.

    token_ids: its text. prefix: rows of soft tokens (prefix_tokens, llm_dim), or token ids that stand in their place
    (the gold caption), or None where the post has no readable image.
    """

    token_ids: tuple[int, ...]
    prefix: Tensor | tuple[int, ...] | None = None

    @property
    def length(self) -> int:
        """Positions that the segment takes in the prompt."""
        return len(self.token_ids) + (0 if self.prefix is None else len(self.prefix))


@dataclass(frozen=True)
class Prompt:
    """What stands before the name that the LLM generates.

    context: the demonstrations. Prompts that hold the same tuple (not only an equal one) have it read once for all.
    query: what follows it, at least one position. context_key: stands for the context, by value, in all searches of one
    BeamSearch, which may keep what it read of it under that key; None: it is read anew.
    """

    query: tuple[Segment, ...]
    context: tuple[Segment, ...] = ()
    context_key: Hashable = None

    @property
    def context_length(self) -> int:
        """Positions of the context."""
        return sum(segment.length for segment in self.context)

    @property
    def query_length(self) -> int:
        """Positions of the query."""
        return sum(segment.length for segment in self.query)


def embed_segments(segments: Sequence[Segment], embedding: nn.Module) -> Tensor:
    """Embed a prompt: the segments one after the other.

    embedding: the LLM's input embedding.
    Returns: (length, llm_dim), in the embedding's dtype, on its device; differentiable in the soft tokens.
    Raises: ShapeError if soft tokens have another width than the LLM.
    """
    weight = next(embedding.parameters())
    parts: list[list[int] | Tensor] = [[]]
    for segment in segments:
        if isinstance(segment.prefix, Tensor):
            parts += [_checked(segment.prefix, weight), []]
        elif segment.prefix is not None:
            _tail(parts).extend(segment.prefix)
        _tail(parts).extend(segment.token_ids)
    token_ids = [token for part in parts if isinstance(part, list) for token in part]
    # One lookup for all tokens of the prompt: a lookup for each segment costs more than the LLM's first layer.
    embedded = embedding(torch.tensor(token_ids, dtype=torch.long, device=weight.device))
    rows: list[Tensor] = []
    start = 0
    for part in parts:
        if isinstance(part, Tensor):
            rows.append(part)
        else:
            rows.append(embedded[start : start + len(part)])
            start += len(part)
    return torch.cat(rows)


def _tail(parts: list[list[int] | Tensor]) -> list[int]:
    tail = parts[-1]
    assert isinstance(tail, list), "soft tokens are always followed by a list of token ids"
    return tail


def _checked(soft_tokens: Tensor, weight: Tensor) -> Tensor:
    if soft_tokens.ndim != 2 or soft_tokens.shape[1] != weight.shape[1]:
        raise ShapeError(
            f"soft tokens of shape {tuple(soft_tokens.shape)} do not fit an LLM of width {weight.shape[1]}; "
            "the mapper was trained for another LLM: run `dvc repro mapper`"
        )
    return soft_tokens.to(weight)
