"""A task that a linear mapper can learn through a random LLM: say which of a few directions an image points to."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from tiny_world import PREFIX_TOKENS, VISION_WIDTH, WIDTH

from gemel.core.settings import LLMSettings, TrainingCourse
from gemel.entities.trie import PackedTrie
from gemel.entities.trie_build import build_trie
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.examples import Example, ExampleSegment
from gemel.mapper.mapper import make_mapper
from gemel.mapper.training import TrainingResult, train_mapper

CLASSES, SEED = 3, 7
# The answers, 2 to 4 tokens long; 0 ends a name.
NAMES = [(*range(40 + 5 * answer, 41 + 6 * answer), 0) for answer in range(CLASSES)]
COURSE = TrainingCourse(
    steps=6,
    batch_size=4,
    peak_rate=0.02,
    warmup_steps=2,
    weight_decay=0.01,
    clip_norm=1.0,
    check_every=2,
    patience=5,
)


def make_examples(count: int, seed: int, shift: int = 0) -> list[Example]:
    """Examples with and without a demonstration, with and without an image; the query's image says the answer.

    shift: gives every image the answer of another class, so that who learns the rule without a shift gets worse here.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.eye(CLASSES, VISION_WIDTH) * 3
    examples = []
    for number in range(count):
        answer = number % CLASSES
        image = directions[(answer + shift) % CLASSES] + 0.1 * torch.randn(VISION_WIDTH, generator=generator)
        shown = ExampleSegment((20, 21, 22 + number % 4), image.flip(0) if number % 2 else None)
        query = ExampleSegment(tuple(range(30, 33 + number % 3)), image)
        segments = (shown, query) if number % 4 else (query,)
        examples.append(Example(segments, NAMES[answer], name=f"m{number}"))
    return examples


def fresh_mapper(seed: int = 0, adapter: str = "linear") -> Adapter:
    torch.manual_seed(seed)
    return make_mapper(adapter, VISION_WIDTH, WIDTH, PREFIX_TOKENS)


def names() -> PackedTrie:
    """The trie of NAMES."""
    return build_trie([name[:-1] for name in NAMES])


def train_toy(
    llm: FrozenLLM,
    progress: Path,
    course: TrainingCourse = COURSE,
    dev_shift: int = 0,
    dev_count: int = 6,
    train: list[Example] | None = None,
    **settings: Any,
) -> TrainingResult:
    """Train a fresh mapper on the toy task, on the CPU."""
    mapper = fresh_mapper()
    return train_mapper(
        mapper,
        llm,
        train or make_examples(10, 0),
        make_examples(dev_count, 1, dev_shift),
        course,
        seed=SEED,
        progress=progress,
        **settings,
    )


class AtStep(Callback):
    """Does something at the end of an optimizer step, counted from 1 over the whole run."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.number, self.act = number, act

    def on_train_batch_end(self, *arguments: Any) -> None:
        if arguments[-1] + 1 == self.number:
            self.act()


def train_until_killed(llm_folder: str, progress: str, number: str) -> None:
    """Train, and be killed without warning behind a step: what a subprocess of the tests runs."""
    kill = AtStep(int(number), lambda: os.kill(os.getpid(), signal.SIGKILL))
    train_toy(load_llm(LLMSettings(llm_folder)), Path(progress), callbacks=[kill])


if __name__ == "__main__":
    train_until_killed(*sys.argv[1:])
