"""The learning rate over the optimizer steps, and AdamW as the course wants it."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import AdamW

from gemel.core.settings import TrainingCourse


def rate_share(step: int, course: TrainingCourse) -> float:
    """Share of the peak rate at an optimizer step: linear warm-up, then decay to zero over the rest of the course.

    With `counted_in: examples` the course's length is that in examples, and yet a step counts as one of them.
    """
    unit = course.batch_size if course.counted_in == "examples" else 1
    warmup, length = course.warmup_steps * unit, course.steps * unit
    if step < warmup:
        return (step + 1) / warmup
    left = max(0.0, 1 - (step - warmup) / max(1, length - warmup))
    return left if course.decay == "linear" else 0.5 * (1 - math.cos(math.pi * left))


def make_optimizer(mapper: nn.Module, course: TrainingCourse) -> AdamW:
    """AdamW over the mapper's parameters; its state has their dtype."""
    decayed = [value for name, value in mapper.named_parameters() if course.decay_bias or not name.endswith("bias")]
    others = [value for value in mapper.parameters() if not any(value is each for each in decayed)]
    groups = [{"params": decayed, "weight_decay": course.weight_decay}]
    if others:
        groups.append({"params": others, "weight_decay": 0.0})
    return AdamW(groups, lr=course.peak_rate, eps=course.epsilon)
