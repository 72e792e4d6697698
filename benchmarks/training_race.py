"""The race of `benchmarks.training`: our step and the published one, in turns of batches, and the memory of both."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.linking_race import Cost
from benchmarks.published_step import published_loss, published_step
from gemel.core.settings import TrainingCourse, TrainingRuntime
from gemel.llm.backbone import FrozenLLM
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.examples import Batch, Example
from gemel.mapper.module import MapperTraining

COURSE = TrainingCourse(
    steps=1, batch_size=16, peak_rate=1e-3, warmup_steps=0, weight_decay=0.0, clip_norm=1.0, check_every=1, patience=1
)


class UntrainedStep(MapperTraining):
    """Our training step outside of a trainer."""

    def log(self, *_: object, **__: object) -> None:  # type: ignore[override]
        """Leave the figures alone."""


@dataclass
class TrainingRace:
    """Runs both steps over batches and adds up their costs."""

    llm: PreTrainedModel
    mapper: Adapter
    runtime: TrainingRuntime
    costs: dict[str, Cost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.module = self.step_of(self.runtime)
        self.plain = copy.deepcopy(self.mapper)

    def step_of(self, runtime: TrainingRuntime) -> UntrainedStep:
        """Our step under other settings, on the same mapper."""
        return UntrainedStep(self.mapper, FrozenLLM(self.llm, _no_tokenizer()), COURSE, runtime)

    def run(self, batches: Sequence[Batch], baseline_batches: int) -> None:
        """Race over all batches; the baseline takes part in the first ones. A batch before them is for warming up."""
        self.ours(batches[0])
        self.baseline(batches[0][:1])
        for number, batch in enumerate(batches):
            order = [("ours", self.ours), ("baseline", self.baseline)]
            for name, step in order if number % 2 else reversed(order):
                if name == "ours" or number < baseline_batches:
                    self._timed(name, step, batch)

    def ours(self, batch: Batch) -> None:
        self.mapper.zero_grad()
        self.module.training_step(batch, 0).backward()

    def baseline(self, batch: Batch) -> None:
        self.plain.zero_grad()
        published_step(self.llm, self.plain, batch)

    def gradient_difference(self, batch: Batch) -> float:
        """Norm of the difference of both gradients, by that of the published one's."""
        self.ours(batch)
        self.baseline(batch)
        ours, plain = (_gradient(mapper) for mapper in (self.mapper, self.plain))
        return float((ours - plain).norm() / plain.norm())

    def activations(self, example: Example) -> tuple[int, int]:
        """Bytes that a forward pass keeps for the backward pass of one example: ours, the baseline's."""
        frozen = {parameter.untyped_storage().data_ptr() for parameter in self.llm.parameters()}
        ours = kept_bytes(lambda: self.module.training_step([example], 0), frozen)
        return ours, kept_bytes(lambda: published_loss(self.llm, self.plain, example), frozen)

    def peak(self, step: Callable[[Batch], None], batch: Batch) -> int:
        """The most memory of the CUDA device that a step takes beyond what was there before, in bytes."""
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(batch)
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before

    def _timed(self, name: str, step: Callable[[Batch], None], batch: Batch) -> None:
        self._wait()
        wall, work = time.perf_counter(), time.process_time()
        step(batch)
        self._wait()
        cost = self.costs.setdefault(name, Cost())
        cost.wall += time.perf_counter() - wall
        cost.work += time.process_time() - work
        cost.mentions += len(batch)

    def _wait(self) -> None:
        if self.llm.device.type == "cuda":
            torch.cuda.synchronize()


def kept_bytes(forward: Callable[[], object], frozen: set[int]) -> int:
    """Memory of all tensors that autograd keeps at one time, each once and without the model's own.

    frozen: addresses of the model's storages.
    """
    held: dict[int, int] = {}
    most = 0

    def keep(tensor: Tensor) -> tuple[Tensor, int]:
        nonlocal most
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in frozen:
            held[storage.data_ptr()] = storage.nbytes()
        most = max(most, sum(held.values()))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward()
    return most


def _gradient(mapper: Adapter) -> Tensor:
    grads = [parameter.grad for parameter in mapper.parameters()]
    return torch.cat([grad.flatten() for grad in grads if grad is not None])


def _no_tokenizer() -> PreTrainedTokenizerBase:
    return PreTrainedTokenizerBase()
