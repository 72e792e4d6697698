"""Training runs that are killed at random points, resumed, and compared with one that was left alone."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from benchmarks.linking_models import Shape, Vocabulary, make_llm
from gemel.core.settings import TrainingCourse, TrainingRuntime
from gemel.llm.backbone import FrozenLLM
from gemel.mapper.checkpoints import STATE
from gemel.mapper.examples import Example, ExampleSegment
from gemel.mapper.mapper import make_mapper, save_mapper
from gemel.mapper.training import train_mapper

COURSE = TrainingCourse(
    steps=60, batch_size=4, peak_rate=0.01, warmup_steps=5, weight_decay=0.1, clip_norm=1.0, check_every=10, patience=9
)
SHAPE = Shape("llama", hidden=64, layers=2, heads=4, inner=128, vocab=200)
VISION_DIM, PREFIX_TOKENS = 16, 2
RESULT = "result.safetensors"


@dataclass(frozen=True)
class KillReport:
    """What became of the runs.

    kills: that hit a run at work; each was started again. runs: that were finished. equal: of these, those whose mapper
    is that of the undisturbed run, bit by bit. state_kib, mapper_kib: sizes of what is kept.
    """

    kills: int
    runs: int
    equal: int
    state_kib: float
    mapper_kib: float


def kill_runs(kills: int, seed: int = 0) -> KillReport:
    """Kill runs until so many kills are done, and let the last one end."""
    rng, context = np.random.default_rng(seed), multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        start = time.perf_counter()
        _finish(context, whole)
        length = time.perf_counter() - start
        wanted, sizes = (whole / RESULT).read_bytes(), [(whole / name).stat().st_size for name in (STATE, RESULT)]
        done = runs = equal = 0
        while done < kills:
            runs += 1
            progress = Path(place) / f"run-{runs}"
            while done < kills and _killed(context, progress, float(rng.uniform(0, length))):
                done += 1
            _finish(context, progress)
            equal += (progress / RESULT).read_bytes() == wanted
    return KillReport(done, runs, equal, sizes[0] / 1024, sizes[1] / 1024)


def train(progress: Path) -> None:
    """A run of a few seconds; where its folder holds a state, it goes on from there."""
    torch.set_num_threads(1)
    llm = make_llm(SHAPE, Vocabulary(SHAPE.vocab), torch.device("cpu"), torch.float32)
    mapper = make_mapper("linear", VISION_DIM, SHAPE.hidden, PREFIX_TOKENS)
    examples = _examples(40)
    result = train_mapper(
        mapper,
        FrozenLLM(llm, PreTrainedTokenizerBase()),
        examples[:30],
        examples[30:],
        COURSE,
        seed=0,
        progress=progress,
        runtime=TrainingRuntime(save_every=3),
    )
    save_mapper(result.mapper, progress / RESULT)


def _examples(count: int) -> list[Example]:
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    made = []
    for number in range(count):
        shown, asked = (
            ExampleSegment(
                tuple(rng.integers(3, SHAPE.vocab, size=rng.integers(5, 20)).tolist()),
                torch.randn(VISION_DIM, generator=generator),
            )
            for _ in range(2)
        )
        target = (*rng.integers(3, SHAPE.vocab, size=rng.integers(1, 4)).tolist(), 2)
        made.append(Example((shown, asked), target, name=str(number)))
    return made


def _killed(context: multiprocessing.context.ForkContext, progress: Path, seconds: float) -> bool:
    """Start a run and kill it after some time; False if it had come to its end by then."""
    process = context.Process(target=train, args=(progress,))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _finish(context: multiprocessing.context.ForkContext, progress: Path) -> None:
    process = context.Process(target=train, args=(progress,))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{progress}: the run did not go on, exit status {process.exitcode}")
