"""Keys and values of several prompts, each stored once and read by all beams of its mention.

One row per mention: first the prompt, padded to the longest of the group, then a slot for every token that any of the
mention's beams has generated. Slots are only appended. A beam does not own keys and values; a mask says which slots
are its ancestors. So nothing is copied when beams are chosen anew, and nothing is repeated per beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin


@dataclass
class _Cursor:
    """Where the next forward pass writes; shared by all layers.

    rows: rows that the pass works on. start: first position it writes. capacity: (rows, positions) of the buffers.
    """

    capacity: tuple[int, int]
    rows: slice = field(default_factory=lambda: slice(0, 0))
    start: int = 0


class _SharedLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, (rows, heads, positions, head_dim)."""

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, cursor: _Cursor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cursor = cursor

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, positions = self.cursor.capacity
        # Zeros, not empty memory: a masked position has weight 0, and 0 x NaN would be NaN.
        self.keys = key_states.new_zeros(rows, key_states.shape[1], positions, key_states.shape[-1])
        self.values = value_states.new_zeros(rows, value_states.shape[1], positions, value_states.shape[-1])
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any) -> tuple[Tensor, Tensor]:
        """Store new keys and values, and return all that the queries may look at."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, start = self.cursor.rows, self.cursor.start
        end = start + key_states.shape[2]
        self.keys[rows, :, start:end] = key_states
        self.values[rows, :, start:end] = value_states
        if start == 0:
            return key_states, value_states
        return self.keys[rows, :, :end], self.values[rows, :, :end]

    def take(self, sources: Tensor, targets: Tensor) -> None:
        """Copy rows `sources` over rows `targets`."""
        if self.is_initialized:
            self.keys[targets] = self.keys[sources]
            self.values[targets] = self.values[sources]

    def get_seq_length(self) -> int:
        return self.cursor.start

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.cursor.start + query_length, 0

    def get_max_length(self) -> int:
        return self.cursor.capacity[1]


class SharedPromptCache(Cache):
    """The cache of one group of mentions.

    lengths: tokens of each row's prompt, (rows,), on the host. dtype, device: of the LLM, for the masks.
    """

    def __init__(self, llm: PreTrainedModel, lengths: Sequence[int], generated: int) -> None:
        """lengths: tokens of each prompt. generated: slots to keep for generated tokens, of all beams and steps."""
        self.lengths: npt.NDArray[np.int64] = np.array(lengths, dtype=np.int64)
        self.dtype, self.device = llm.dtype, llm.device
        self.prompt_width = int(self.lengths.max())
        self._cursor = _Cursor(capacity=(len(lengths), self.prompt_width + generated))
        n_layers = llm.config.get_text_config().num_hidden_layers
        self._shared = [_SharedLayer(self._cursor) for _ in range(n_layers)]
        super().__init__(layers=[*self._shared])
        self._prompt_mask = self._additive(np.arange(self.prompt_width) < self.lengths[:, None, None])

    def write_prompts(self, rows: slice) -> None:
        """Let the next forward pass write the prompts of some rows, all of one length."""
        self._cursor.rows, self._cursor.start = rows, 0

    def write_slots(self, ancestors: npt.NDArray[np.bool_]) -> Tensor:
        """Let the next forward pass append one slot per beam in every row; return its attention mask.

        ancestors: which slots each beam descends from, its own included, (rows, beams, slots).
        Returns: additive mask, 0 where a beam may look, (rows, 1, beams, prompt_width + slots), in the LLM's dtype.
        """
        rows, beams, slots = ancestors.shape
        self._cursor.rows, self._cursor.start = slice(0, rows), self.prompt_width + slots - beams
        prompt = self._prompt_mask.expand(-1, -1, beams, -1)
        return torch.cat((prompt, self._additive(ancestors)), dim=-1)

    def keep(self, order: npt.NDArray[np.int64]) -> None:
        """Keep only some rows: row i of the shorter cache is the present row order[i].

        Rows that stay in place are not copied.
        """
        moved = np.flatnonzero(order != np.arange(len(order)))
        if len(moved):
            sources, targets = torch.from_numpy(order[moved]), torch.from_numpy(moved)
            for layer in self._shared:
                layer.take(sources.to(self.device), targets.to(self.device))
        self.lengths = self.lengths[order]
        self._prompt_mask = self._prompt_mask[torch.from_numpy(order).to(self.device)]

    def _additive(self, visible: npt.NDArray[np.bool_]) -> Tensor:
        """(rows, queries, positions) of booleans to (rows, 1, queries, positions) of 0 and the least number."""
        # Additive rather than boolean: eager attention adds its mask, and SDPA takes either.
        hidden = torch.from_numpy(~visible).to(self.device)[:, None]
        mask = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device)
        return mask.masked_fill_(hidden, torch.finfo(self.dtype).min)
