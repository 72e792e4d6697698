"""A training run: it learns, keeps the best on dev, stops early, and goes on after a kill as if nothing had been."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import open_clip
import pytest
import torch
import toy
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from toy import COURSE, AtStep, fresh_mapper, make_examples, train_toy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from gemel.core.errors import ConfigError, TrainingError
from gemel.core.settings import BackboneSettings, TrainingRuntime
from gemel.llm.backbone import FrozenLLM
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.checkpoints import STATE
from gemel.mapper.examples import EndlessBatches, Example, ExampleSegment
from gemel.mapper.mapper import WEIGHTS, make_mapper
from gemel.mapper.module import MapperTraining
from gemel.mapper.sight import DevAccuracy
from gemel.mapper.training import TrainingResult, clear_progress, trainable_share

# With a shifted dev set, dev gets worse behind its first look.
WORSE = dataclasses.replace(COURSE, steps=6, peak_rate=0.1, warmup_steps=0)
HASTY = dataclasses.replace(WORSE, patience=1)


class Stopped(Exception):  # noqa: N818
    """Stands for whatever ends a run too early."""


def stop() -> None:
    raise Stopped


def dev_losses(progress: Path) -> list[float]:
    lines = curves(progress)["dev_loss.tsv"].splitlines()
    return [float(line.split()[1]) for line in lines[1:]]


def curves(progress: Path) -> dict[str, str]:
    tables = progress / "curves" / "plots" / "metrics"
    return {path.relative_to(tables).as_posix(): path.read_text() for path in tables.rglob("*.tsv")}


def equal(one: Adapter, other: Adapter) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def loss_of(mapper: Adapter, llm: FrozenLLM, shift: int = 0) -> float:
    return float(MapperTraining(mapper, llm, COURSE).example_losses(make_examples(6, 1, shift)).mean())


@pytest.fixture(scope="module", autouse=True)
def doomed(
    tiny_backbones: BackboneSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A subprocess that trains until it is killed, at work while the first tests run, and its progress folder."""
    progress = tmp_path_factory.mktemp("killed")
    command = [sys.executable, toy.__file__, tiny_backbones.llm.model, str(progress), "5"]
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


def resumed(llm: FrozenLLM, progress: Path, step: int, *, worse: bool, save_every: int = 1) -> TrainingResult:
    """Break a run off behind a step, and start it again."""
    course, shift = (WORSE, 1) if worse else (COURSE, 0)
    runtime = TrainingRuntime(save_every=save_every)
    broken: list[Callback] = [AtStep(step, stop)]
    with pytest.raises(Stopped):
        train_toy(llm, progress, course, shift, callbacks=broken, runtime=runtime)
    return train_toy(llm, progress, course, shift, runtime=runtime)


@pytest.mark.parametrize("save_every", [1, 3, 100])
@pytest.mark.parametrize("step", range(1, COURSE.steps + 1))
def test_broken_off_run_ends_as_if_nothing_had_been(
    worse: tuple[TrainingResult, Path], llm: FrozenLLM, tmp_path: Path, step: int, save_every: int
) -> None:
    result = resumed(llm, tmp_path, step, worse=True, save_every=save_every)
    assert (result.dev_loss, result.best_step, result.steps) == (
        worse[0].dev_loss,
        worse[0].best_step,
        worse[0].steps,
    )
    assert equal(result.mapper, worse[0].mapper)
    assert curves(tmp_path) == curves(worse[1])


def test_row_that_a_kill_left_half_written_is_dropped(
    whole: tuple[TrainingResult, Path], llm: FrozenLLM, tmp_path: Path
) -> None:
    broken: list[Callback] = [AtStep(5, stop)]
    with pytest.raises(Stopped):
        train_toy(llm, tmp_path, callbacks=broken)
    with (tmp_path / "curves" / "plots" / "metrics" / "train_loss.tsv").open("a") as table:
        table.write("6\t0.")
    train_toy(llm, tmp_path)
    assert curves(tmp_path) == curves(whole[1])


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
    assert (progress / STATE).is_file()
    result = train_toy(llm, progress)
    assert result.steps == whole[0].steps
    assert equal(result.mapper, whole[0].mapper)


def test_state_holds_no_frozen_weights(whole: tuple[TrainingResult, Path]) -> None:
    state = torch.load(whole[1] / STATE, weights_only=True)
    assert set(state["state_dict"]) == {"mapper.linear.weight", "mapper.linear.bias"}
    assert state["loops"]["fit_loop"]["state_dict"]["combined_loader"] == [{"given": COURSE.steps}]
    assert state["random"]["cpu"].numel() > 0
    # The mapper and AdamW's two moments of it, in float32, and a few kilobytes around them.
    numbers = sum(parameter.numel() for parameter in fresh_mapper().parameters())
    assert 0 < whole[0].state_bytes - 3 * 4 * numbers < 30_000


def test_two_files_are_kept(whole: tuple[TrainingResult, Path]) -> None:
    assert sorted(path.name for path in whole[1].iterdir() if path.is_file()) == [WEIGHTS, STATE]


def test_kill_while_saving_leaves_the_former_state(
    llm: FrozenLLM, whole: tuple[TrainingResult, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(trainer: Trainer, path: Path, **_: object) -> None:
        if trainer.global_step == 4:
            path.write_bytes(b"half")
            raise Stopped
        usual(trainer, path)

    usual = Trainer.save_checkpoint
    monkeypatch.setattr(Trainer, "save_checkpoint", write_half)
    with pytest.raises(Stopped):
        train_toy(llm, tmp_path)
    monkeypatch.undo()
    assert equal(train_toy(llm, tmp_path).mapper, whole[0].mapper)


def test_loss_that_is_not_finite_keeps_the_last_good_state(llm: FrozenLLM, tmp_path: Path) -> None:
    examples = make_examples(11, 0)
    in_third_step = list(EndlessBatches([Example((), (place,)) for place in range(11)], 4, 3, toy.SEED))[2][0]
    bad = ExampleSegment((30, 31), torch.full((24,), torch.nan))
    examples[in_third_step.target_ids[0]] = Example((bad,), toy.NAMES[0], name="m-bad")
    still = dataclasses.replace(COURSE, initial_scale="default")
    with pytest.raises(TrainingError, match=r"step 3: the loss of 1 of 4 examples is not finite: 'm-bad'"):
        train_toy(llm, tmp_path, still, train=examples, runtime=TrainingRuntime(save_every=1))
    state = torch.load(tmp_path / STATE, weights_only=True)
    assert state["global_step"] == 2
    assert all(value.isfinite().all() for value in state["state_dict"].values())


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        (TrainingRuntime(devices=3), r"devices 3 does not divide mapper.course.batch_size 4"),
        (TrainingRuntime(devices=4, strategy="ddp"), r"10 examples to train on and 1 of dev; each device needs one"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    llm: FrozenLLM, tmp_path: Path, runtime: TrainingRuntime, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        train_toy(llm, tmp_path, runtime=runtime, dev_count=1)


def test_half_precision_mapper_is_kept_in_float32(llm: FrozenLLM, tmp_path: Path) -> None:
    result = train_toy(llm, tmp_path, dataclasses.replace(COURSE, dtype="float16", epsilon=1e-6))
    state = torch.load(tmp_path / STATE, weights_only=True)["state_dict"]
    assert {value.dtype for value in state.values()} == {torch.float16}
    assert {parameter.dtype for parameter in result.mapper.parameters()} == {torch.float32}


def test_usual_initial_scale_leaves_the_fresh_weights(llm: FrozenLLM, tmp_path: Path) -> None:
    still = dataclasses.replace(COURSE, peak_rate=0.0, weight_decay=0.0)
    as_they_were = train_toy(llm, tmp_path / "default", dataclasses.replace(still, initial_scale="default"))
    assert equal(as_they_were.mapper, fresh_mapper())
    assert not equal(train_toy(llm, tmp_path / "scaled", still).mapper, fresh_mapper())


def test_dev_mentions_are_linked_at_each_look(llm: FrozenLLM, tmp_path: Path) -> None:
    train_toy(llm, tmp_path, dataclasses.replace(COURSE, watched=4), trie=toy.names())
    rows = [line.split("\t") for line in curves(tmp_path)["dev_accuracy.tsv"].splitlines()[1:]]
    assert [int(step) for step, _ in rows] == [2, 4, 6]
    assert {float(share) for _, share in rows} <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_watched_mentions_are_right_where_the_search_finds_their_name(llm: FrozenLLM) -> None:
    module = MapperTraining(fresh_mapper(), llm, COURSE)
    examples = make_examples(6, 1)
    answers = [best_name(module, example) for example in examples]
    taught = [dataclasses.replace(each, target_ids=name) for each, name in zip(examples, answers, strict=True)]
    assert DevAccuracy(llm, toy.names(), taught, 6).accuracy(module) == 1.0
    wrong = [dataclasses.replace(taught[0], target_ids=next(n for n in toy.NAMES if n != taught[0].target_ids))]
    assert DevAccuracy(llm, toy.names(), [*wrong, *taught[1:]], 6).accuracy(module) == pytest.approx(5 / 6)


def best_name(module: MapperTraining, example: Example) -> tuple[int, ...]:
    """The name of least loss, by scoring all of them."""
    losses = module.example_losses([dataclasses.replace(example, target_ids=name) for name in toy.NAMES])
    return toy.NAMES[int(losses.argmin())]


def test_trainable_share_is_of_all_parameters(llm: FrozenLLM) -> None:
    mapper = fresh_mapper()
    own = sum(parameter.numel() for parameter in mapper.parameters())
    frozen = sum(parameter.numel() for parameter in llm.model.parameters())
    assert trainable_share(mapper, llm, 1000) == own / (own + frozen + 1000)


def test_trainable_share_of_llama2_7b_and_vit_l14() -> None:
    shape = {key: open_clip.get_model_config("ViT-L-14")[key] for key in ("embed_dim", "vision_cfg", "text_cfg")}
    with torch.device("meta"):
        frozen = LlamaForCausalLM(LlamaConfig())  # the library's default is the shape of the 7B model
        vision = open_clip.CLIP(**shape).visual
        mapper = make_mapper("linear", 1024, 4096, prefix_tokens=4)
    parameters = sum(parameter.numel() for parameter in vision.parameters())
    share = trainable_share(mapper, FrozenLLM(frozen, PreTrainedTokenizerBase()), parameters)
    assert share == pytest.approx(0.00238, abs=1e-5)


def test_cleared_progress_is_gone(tmp_path: Path) -> None:
    (tmp_path / "run" / "best").mkdir(parents=True)
    clear_progress(tmp_path / "run")
    clear_progress(tmp_path / "run")
    assert not (tmp_path / "run").exists()
