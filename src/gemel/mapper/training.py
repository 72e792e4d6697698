"""One training run of the mapper: from examples to the best weights on dev, resumable after a kill."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping

from gemel.core.errors import ConfigError
from gemel.core.settings import TrainingCourse, TrainingRuntime
from gemel.entities.trie import PackedTrie
from gemel.llm.backbone import FrozenLLM
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.checkpoints import Checkpoints
from gemel.mapper.examples import EachOnce, EndlessBatches, Example
from gemel.mapper.mapper import load_mapper
from gemel.mapper.module import MapperTraining
from gemel.mapper.sight import Curves, DevAccuracy, Sight

DEV_BATCH = 32


@dataclass(frozen=True)
class TrainingResult:
    """What a training run came to.

    mapper: the best on dev, in float32. dev_loss: its mean loss per dev example (nats per name token); best_step: when
    it was so. steps: optimizer steps taken. curves: folder of tables. state_bytes: of the saved state. examples,
    tokens, seconds: worked on since this process started, and the time it took, dev aside.
    """

    mapper: Adapter
    dev_loss: float
    best_step: int
    steps: int
    curves: Path
    state_bytes: int
    examples: int
    tokens: int
    seconds: float


def train_mapper(
    mapper: Adapter,
    llm: FrozenLLM,
    train: Sequence[Example],
    dev: Sequence[Example],
    course: TrainingCourse,
    *,
    seed: int,
    progress: Path,
    trie: PackedTrie | None = None,
    leading_bos: bool = False,
    device: str = "cpu",
    runtime: TrainingRuntime | None = None,
    callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """Train until the steps are over or dev stops gaining, and return the best mapper on dev.

    mapper: fresh weights; they are brought to the scale of the LLM's embeddings first, where the course says so.
    trie: of the names that dev mentions may be linked to while training; None: they are not linked.
    progress: a folder for the state of this run. A run that was killed and is started again with the same arguments
    goes on from its last saved step, with the same order of examples. Removing the folder is left to the caller, once
    the result is safe.
    Raises: ConfigError if settings contradict each other or there are fewer examples than processes. TrainingError if a
    loss is not finite, or one example alone needs more memory than there is.
    """
    runtime = runtime or TrainingRuntime()
    _check(course, runtime, train, dev)
    _make_ready(mapper, llm, train, course)
    module = MapperTraining(mapper, llm, course, runtime, leading_bos=leading_bos)
    kept, curves, sight = (
        Checkpoints(progress, runtime.save_every),
        Curves(progress / "curves"),
        Sight(mapper.prefix_tokens),
    )
    watch = [DevAccuracy(llm, trie, dev, course.watched)] if trie is not None and course.watched else []
    patience = _Patience("dev_loss", patience=course.patience)
    _quiet()
    trainer = Trainer(
        accelerator=_accelerator(device),
        devices=_devices(device, runtime.devices),
        strategy=runtime.strategy,
        max_epochs=1,
        max_steps=course.steps,
        gradient_clip_val=course.clip_norm,
        val_check_interval=course.check_every,
        num_sanity_val_steps=0,
        logger=False,
        use_distributed_sampler=False,
        callbacks=[*callbacks, *watch, curves, sight, patience, kept],
        enable_model_summary=False,
    )
    batches = EndlessBatches(train, course.batch_size, course.steps, seed)
    trainer.fit(
        module,
        batches,
        EachOnce(dev, DEV_BATCH),
        ckpt_path=kept.state if kept.state.exists() else None,
        weights_only=True,
    )
    return TrainingResult(
        mapper=load_mapper(kept.best, vision_dim=mapper.vision_dim, llm_dim=mapper.llm_dim),
        dev_loss=kept.best_loss,
        best_step=kept.best_step,
        steps=trainer.global_step,
        curves=curves.tables,
        state_bytes=kept.state.stat().st_size,
        examples=sight.examples,
        tokens=sight.tokens,
        seconds=sight.seconds,
    )


class _Patience(EarlyStopping):
    """Early stopping that also holds for a run which is started again after it was stopped."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def trainable_share(mapper: Adapter, llm: FrozenLLM, vision_parameters: int) -> float:
    """Share of trained parameters among all that a link runs through."""
    trained = sum(parameter.numel() for parameter in mapper.parameters())
    return trained / (trained + sum(parameter.numel() for parameter in llm.model.parameters()) + vision_parameters)


def clear_progress(progress: Path) -> None:
    """Forget the state of a run whose result is safe."""
    shutil.rmtree(progress, ignore_errors=True)


def _check(course: TrainingCourse, runtime: TrainingRuntime, train: Sequence[Example], dev: Sequence[Example]) -> None:
    if course.batch_size % runtime.devices:
        raise ConfigError(
            f"runtime.training.devices {runtime.devices} does not divide mapper.course.batch_size {course.batch_size}, "
            "so there are no equal shares of a batch; change one of them"
        )
    if min(len(train), len(dev)) < runtime.devices:
        raise ConfigError(
            f"runtime.training.devices {runtime.devices}, but there are {len(train)} examples to train on and "
            f"{len(dev)} of dev; each device needs one of both"
        )


def _make_ready(mapper: Adapter, llm: FrozenLLM, train: Sequence[Example], course: TrainingCourse) -> None:
    """Bring fresh weights to the scale of words, and to the dtype of the course."""
    images = [image for example in train if (image := example.segments[-1].image) is not None]
    if images and course.initial_scale == "embeddings":
        mapper.match_scale(torch.stack(images), next(llm.embedding.parameters()).detach().cpu())
    mapper.to(getattr(torch, course.dtype))


def _accelerator(device: str) -> str:
    kind = torch.device(device).type
    return "gpu" if kind == "cuda" else kind


def _devices(device: str, count: int) -> int | list[int]:
    """How many devices Lightning takes; or which one, where one is named."""
    index = torch.device(device).index
    return count if index is None or count > 1 else [index]


def _quiet() -> None:
    """Lightning advises on workers, on devices and on accumulation; none of it applies to a list of token ids."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
