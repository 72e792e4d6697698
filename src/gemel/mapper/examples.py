"""Training examples, and batches in an order that follows from a seed, so that a killed run goes on where it stood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class ExampleSegment:
    """A demonstration or the query of an example. image: its vision vector (vision_dim,), or None."""

    token_ids: tuple[int, ...]
    image: Tensor | None


@dataclass(frozen=True)
class Example:
    """A prompt, and the token ids that the LLM must answer with (a name and EOS).

    windowed: whether the query's text was cut, as the LLM's context has no room for all of it. name: to say which
    example it is.
    """

    segments: tuple[ExampleSegment, ...]
    target_ids: tuple[int, ...]
    windowed: bool = False
    name: str = ""

    @property
    def images(self) -> list[Tensor]:
        """The vision vectors of its segments, in their order."""
        return [segment.image for segment in self.segments if segment.image is not None]

    def positions(self, prefix_tokens: int) -> int:
        """Positions that the LLM reads: the prompt, and the target but for its last token."""
        texts = sum(len(segment.token_ids) for segment in self.segments)
        return texts + prefix_tokens * len(self.images) + len(self.target_ids) - 1


Batch = list[Example]


class EndlessBatches:
    """All batches of a training run, epoch after epoch, as one stream that can be entered anywhere.

    Lightning restores neither the order nor the place of a shuffling loader inside an epoch; this one has both in its
    state: the order of epoch e follows from (seed, e), the place is the number of batches given. Where several
    processes train together, each gets its share of every batch.
    """

    def __init__(self, examples: Sequence[Example], batch_size: int, batches: int, seed: int) -> None:
        """batches: length of the stream; batch_size: examples in each, also across the border of two epochs."""
        self._examples, self._batch_size, self._batches, self._seed = examples, batch_size, batches, seed
        self._given = 0

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[Batch]:
        start, self._given = self._given, 0
        for number in range(start, self._batches):
            self._given = number + 1
            places = range(number * self._batch_size, (number + 1) * self._batch_size)
            yield [self._examples[self._order(place)] for place in places[own_share()]]
        self._given = 0

    def state_dict(self) -> dict[str, Any]:
        """How many batches were given."""
        return {"given": self._given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind the batches that were given."""
        self._given = int(state["given"])

    def _order(self, place: int) -> int:
        epoch, position = divmod(place, len(self._examples))
        if getattr(self, "_epoch", None) != epoch:
            generator = torch.Generator().manual_seed(self._seed * 100_003 + epoch)
            self._epoch, self._permutation = epoch, torch.randperm(len(self._examples), generator=generator).tolist()
        return int(self._permutation[position])


class EachOnce:
    """Examples in order, a batch at a time; where several processes train together, the share of this one."""

    def __init__(self, examples: Sequence[Example], batch_size: int) -> None:
        self._examples, self._batch_size = examples, batch_size

    def __len__(self) -> int:
        return -(-len(self._examples[own_share()]) // self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        own = self._examples[own_share()]
        return (list(own[start : start + self._batch_size]) for start in range(0, len(own), self._batch_size))


def own_share() -> slice:
    """The part of any list that falls to this one of the processes that train together."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return slice(None)
    return slice(distributed.get_rank(), None, distributed.get_world_size())
