"""Keys and values of several prompts, each stored once and read by all beams of all mentions that share it.

One row per prompt: first its context and queries, padded to the longest of the batch, then a slot for every token that
any beam of the row has generated. Slots are only appended. A beam does not own keys and values; a mask says which
positions it sees. So nothing is copied when beams are chosen anew, and nothing is repeated per beam or mention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Cache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin

from gemel.entities.trie import IntArray
from gemel.llm.kept_contexts import Layers

_GROWTH = 1.5


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
        self._memory = [torch.empty(0), torch.empty(0)]

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = (self._room(place, states) for place, states in enumerate((key_states, value_states)))
        self.is_initialized = True

    def _room(self, place: int, states: Tensor) -> Tensor:
        """Room of the cursor's capacity, in the memory of the batch before where that suffices."""
        rows, positions = self.cursor.capacity
        shape = (rows, states.shape[1], positions, states.shape[-1])
        if self._memory[place].numel() < math.prod(shape):
            # Zeros, not empty memory: a masked position has weight 0, and 0 x NaN would be NaN.
            self._memory[place] = states.new_zeros(math.prod(shape))
        return self._memory[place][: math.prod(shape)].view(shape)

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

    def copy(self, source: int, target: int, positions: int) -> None:
        """Copy the first positions of one row into another."""
        for buffer in (self.keys, self.values):
            buffer[target, :, :positions] = buffer[source, :, :positions]

    def part(self, row: int, positions: int) -> tuple[Tensor, Tensor]:
        """The keys and values of a row's first positions, each (heads, positions, head_dim), in place."""
        return self.keys[row, :, :positions], self.values[row, :, :positions]

    def restore(self, row: int, keys: Tensor, values: Tensor) -> None:
        """Write a row's first positions, (heads, positions, head_dim)."""
        if not self.is_initialized:
            self.lazy_initialization(keys[None], values[None])
        for present, former in zip(self.part(row, keys.shape[1]), (keys, values), strict=True):
            present.copy_(former)

    def take(self, sources: Tensor, targets: Tensor) -> None:
        """Copy rows `sources` over rows `targets`."""
        self.keys[targets] = self.keys[sources]
        self.values[targets] = self.values[sources]

    def grow(self, positions: int) -> None:
        """Make room for more positions."""
        more = positions - self.keys.shape[2]
        self.keys, self.values = (pad(buffer, (0, 0, 0, more)) for buffer in (self.keys, self.values))
        self._memory = [self.keys.flatten(), self.values.flatten()]

    def get_seq_length(self) -> int:
        return self.cursor.start

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.cursor.start + query_length, 0

    def get_max_length(self) -> int:
        return self.cursor.capacity[1]


class SharedPromptCache(Cache):
    """The cache of one batch after another, in the same memory. dtype, device: of the LLM, for the masks."""

    def __init__(self, llm: PreTrainedModel) -> None:
        self.dtype, self.device = llm.dtype, llm.device
        self.prompt_width, self.slots = 0, 0
        self._cursor = _Cursor(capacity=(0, 0))
        n_layers = llm.config.get_text_config().num_hidden_layers
        self._shared = [_SharedLayer(self._cursor) for _ in range(n_layers)]
        super().__init__(layers=[*self._shared])

    def begin(self, rows: int, prompt_width: int, slots: int) -> None:
        """Make room for a batch; what was there is forgotten.

        prompt_width: positions of the longest row's prompts. slots: for generated tokens, to begin with.
        """
        self.prompt_width, self.slots = prompt_width, 0
        self._cursor.capacity = (rows, prompt_width + slots)
        for layer in self._shared:
            layer.is_initialized = False

    def write(self, rows: slice, start: int) -> None:
        """Let the next forward pass write positions of some rows' prompts. start: the first of them."""
        self._cursor.rows, self._cursor.start = rows, start

    def write_slots(self, rows: int, count: int) -> None:
        """Let the next forward pass append some slots to every row."""
        self._cursor.rows, self._cursor.start = slice(0, rows), self.prompt_width + self.slots
        self.slots += count
        positions = self.prompt_width + self.slots
        held = self._cursor.capacity[1]
        if positions > held:
            self._cursor.capacity = (self._cursor.capacity[0], max(positions, int(held * _GROWTH)))
            for layer in self._shared:
                layer.grow(self._cursor.capacity[1])

    def copy_prompt(self, source: int, target: int, positions: int) -> None:
        """Give a row the first positions of another."""
        for layer in self._shared:
            layer.copy(source, target, positions)

    def prompt_bytes(self, positions: int) -> int:
        """Bytes of so many positions of one row, in all layers."""
        return sum(states.nbytes for layer in self._shared for states in layer.part(0, positions))

    def copy_of_prompt(self, row: int, positions: int) -> Layers:
        """A copy of the first positions of a row."""
        parts = (layer.part(row, positions) for layer in self._shared)
        return tuple((keys.clone(), values.clone()) for keys, values in parts)

    def restore_prompt(self, row: int, layers: Layers) -> None:
        """Give a row the first positions that another had once."""
        for layer, (keys, values) in zip(self._shared, layers, strict=True):
            layer.restore(row, keys, values)

    def keep(self, order: IntArray) -> None:
        """Keep only some rows: row i of the shorter cache is the present row order[i].

        Rows that stay in place are not copied.
        """
        moved = np.flatnonzero(order != np.arange(len(order)))
        if len(moved):
            sources, targets = torch.from_numpy(order[moved]), torch.from_numpy(moved)
            for layer in self._shared:
                layer.take(sources.to(self.device), targets.to(self.device))

    def mask(self, visible: npt.NDArray[np.bool_]) -> Tensor:
        """The attention mask that lets queries see some positions.

        visible: (rows, queries, positions). Returns: 0 where a query may look, else the least number, (rows, 1,
        queries, positions), in the LLM's dtype.
        """
        # Additive rather than boolean: eager attention adds its mask, and SDPA takes either.
        hidden = torch.from_numpy(~visible).to(self.device)[:, None]
        mask = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device)
        return mask.masked_fill_(hidden, torch.finfo(self.dtype).min)
