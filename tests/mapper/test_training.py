"""A training run: it learns, keeps the best on dev, stops early, and goes on after a kill as if nothing had been."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import toy
from lightning.pytorch.callbacks import Callback
from toy import COURSE, AtMicroBatch, fresh_mapper, make_examples, train_toy

from gemel.core.settings import BackboneSettings
from gemel.llm.backbone import FrozenLLM
from gemel.mapper.mapper import LinearMapper
from gemel.mapper.module import MapperTraining, Schedule
from gemel.mapper.training import TrainingResult, clear_progress, trainable_share

# With a shifted dev set, dev gets worse behind its first look.
WORSE = dataclasses.replace(COURSE, steps=6, peak_rate=0.1, warmup_steps=0)
HASTY = dataclasses.replace(WORSE, patience=1)


class Stopped(Exception):  # noqa: N818
    """Stands for whatever ends a run too early."""


def stop() -> None:
    raise Stopped


def dev_losses(progress: Path) -> list[float]:
    lines = (progress / "curves" / "plots" / "metrics" / "dev_loss.tsv").read_text().splitlines()
    return [float(line.split()[1]) for line in lines[1:]]


def equal(one: LinearMapper, other: LinearMapper) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def loss_of(mapper: LinearMapper, llm: FrozenLLM, shift: int = 0) -> float:
    module = MapperTraining(mapper, llm, Schedule(1, 0, 0.0, 0.0))
    with torch.inference_mode():
        return float(module.example_losses(make_examples(6, 1, shift)).mean())


@pytest.fixture(scope="module", autouse=True)
def doomed(
    tiny_backbones: BackboneSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A subprocess that trains until it is killed, at work while the first tests run, and its progress folder."""
    progress = tmp_path_factory.mktemp("killed")
    command = [sys.executable, toy.__file__, tiny_backbones.llm.model, str(progress), "9"]
    environment = {"PYTHONPATH": str(Path(toy.__file__).parents[1]), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    with subprocess.Popen(command, env=os.environ | environment) as process:
        yield process, progress
        process.kill()


@pytest.fixture(scope="module")
def whole(llm: FrozenLLM, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Path]:
    """An uninterrupted run, and its progress folder."""
    progress = tmp_path_factory.mktemp("whole")
    return train_toy(llm, progress), progress


@pytest.fixture(scope="module")
def worse(llm: FrozenLLM, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Path]:
    """An uninterrupted run that is at its best on dev before its end."""
    progress = tmp_path_factory.mktemp("worse")
    return train_toy(llm, progress, WORSE, dev_shift=1), progress


def test_loss_falls_on_a_learnable_task(whole: tuple[TrainingResult, Path], llm: FrozenLLM) -> None:
    assert whole[0].steps == COURSE.steps
    assert whole[0].dev_loss < loss_of(fresh_mapper(), llm) - 0.5


def test_dev_loss_is_that_of_the_returned_mapper(whole: tuple[TrainingResult, Path], llm: FrozenLLM) -> None:
    assert whole[0].dev_loss == pytest.approx(loss_of(whole[0].mapper, llm), rel=1e-5)


def test_dev_is_looked_at_every_few_optimizer_steps(whole: tuple[TrainingResult, Path]) -> None:
    assert len(dev_losses(whole[1])) == COURSE.steps // COURSE.check_every


def test_best_on_dev_is_returned_not_the_last(worse: tuple[TrainingResult, Path], llm: FrozenLLM) -> None:
    losses = dev_losses(worse[1])
    assert losses[-1] > losses[0]
    assert worse[0].dev_loss == pytest.approx(min(losses))
    assert loss_of(worse[0].mapper, llm, shift=1) == pytest.approx(min(losses), rel=1e-5)


def test_same_arguments_give_the_same_mapper(
    whole: tuple[TrainingResult, Path], llm: FrozenLLM, tmp_path: Path
) -> None:
    assert equal(train_toy(llm, tmp_path).mapper, whole[0].mapper)


def test_training_stops_when_dev_no_longer_gains(llm: FrozenLLM, tmp_path: Path) -> None:
    result = train_toy(llm, tmp_path, HASTY, dev_shift=1)
    assert result.steps == 2 * HASTY.check_every
    again = train_toy(llm, tmp_path, HASTY, dev_shift=1)
    assert (again.steps, again.dev_loss) == (result.steps, result.dev_loss)
    assert equal(again.mapper, result.mapper)


def resumed(llm: FrozenLLM, progress: Path, number: int, *, worse: bool) -> TrainingResult:
    """Break a run off behind a micro-batch, and start it again."""
    course, shift = (WORSE, 1) if worse else (COURSE, 0)
    broken: list[Callback] = [AtMicroBatch(number, stop)]
    with pytest.raises(Stopped):
        train_toy(llm, progress, course, shift, callbacks=broken)
    return train_toy(llm, progress, course, shift)


@pytest.mark.parametrize("number", [3, 8], ids=["before the first look at dev", "at a look at dev"])
def test_broken_off_run_ends_with_the_same_mapper(
    whole: tuple[TrainingResult, Path], llm: FrozenLLM, tmp_path: Path, number: int
) -> None:
    result = resumed(llm, tmp_path, number, worse=False)
    assert result.steps == whole[0].steps
    assert equal(result.mapper, whole[0].mapper)


def test_broken_off_run_remembers_the_best_look_before(
    worse: tuple[TrainingResult, Path], llm: FrozenLLM, tmp_path: Path
) -> None:
    result = resumed(llm, tmp_path, 5, worse=True)
    assert result.dev_loss == worse[0].dev_loss
    assert equal(result.mapper, worse[0].mapper)


def test_broken_off_run_has_the_same_curves(worse: tuple[TrainingResult, Path], llm: FrozenLLM, tmp_path: Path) -> None:
    resumed(llm, tmp_path, 7, worse=True)
    assert dev_losses(tmp_path) == dev_losses(worse[1])


def test_finished_run_that_is_started_again_gives_its_result(
    whole: tuple[TrainingResult, Path], llm: FrozenLLM
) -> None:
    again = train_toy(llm, whole[1])
    assert equal(again.mapper, whole[0].mapper)
    assert (again.steps, again.dev_loss) == (whole[0].steps, whole[0].dev_loss)


def test_killed_run_ends_with_the_same_mapper(
    whole: tuple[TrainingResult, Path], doomed: tuple[subprocess.Popen[bytes], Path], llm: FrozenLLM
) -> None:
    process, progress = doomed
    assert process.wait() == -signal.SIGKILL
    assert (progress / "resume" / "resume.ckpt").is_file()
    result = train_toy(llm, progress)
    assert result.steps == whole[0].steps
    assert equal(result.mapper, whole[0].mapper)


def test_checkpoint_holds_the_mapper_and_no_frozen_weights(whole: tuple[TrainingResult, Path]) -> None:
    state = torch.load(whole[1] / "resume" / "resume.ckpt", weights_only=True)
    assert set(state["state_dict"]) == {"mapper.linear.weight", "mapper.linear.bias"}


def test_trainable_share_is_of_all_parameters(llm: FrozenLLM) -> None:
    mapper = fresh_mapper()
    own = sum(parameter.numel() for parameter in mapper.parameters())
    frozen = sum(parameter.numel() for parameter in llm.model.parameters())
    assert trainable_share(mapper, llm, 1000) == own / (own + frozen + 1000)


def test_cleared_progress_is_gone(tmp_path: Path) -> None:
    (tmp_path / "run" / "best").mkdir(parents=True)
    clear_progress(tmp_path / "run")
    clear_progress(tmp_path / "run")
    assert not (tmp_path / "run").exists()
