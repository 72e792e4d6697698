"""One training run of the mapper: from examples to the best weights on dev, resumable after a kill."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from torch.utils.data import DataLoader

from gemel.core.settings import TrainingCourse
from gemel.llm.backbone import FrozenLLM
from gemel.mapper.examples import EndlessBatches, Example
from gemel.mapper.mapper import LinearMapper
from gemel.mapper.module import MapperTraining, Schedule


@dataclass(frozen=True)
class TrainingResult:
    """The best mapper on dev, its mean loss per dev example (nats per name token), and the optimizer steps taken."""

    mapper: LinearMapper
    dev_loss: float
    steps: int


def train_mapper(
    mapper: LinearMapper,
    llm: FrozenLLM,
    train: Sequence[Example],
    dev: Sequence[Example],
    course: TrainingCourse,
    *,
    seed: int,
    leading_bos: bool,
    progress: Path,
    accelerator: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """Train until the steps are over or dev stops gaining, and return the best mapper on dev.

    mapper: fresh weights; they are brought to the scale of the LLM's embeddings first.
    progress: a folder for the state of this run. A run that was killed and is started again with the same arguments
    goes on from its last saved step, with the same order of examples. The curves are in `progress/curves`; removing
    the folder is left to the caller, once the result is safe.
    """
    images = [segment.image for example in train for segment in example.segments[-1:] if segment.image is not None]
    if images:
        mapper.match_scale(torch.stack(images), next(llm.embedding.parameters()).detach().cpu())
    accumulate = course.batch_size // course.micro_batch_size
    schedule = Schedule(course.steps, course.warmup_steps, course.peak_rate, course.weight_decay)
    module = MapperTraining(mapper, llm, schedule, leading_bos)
    best = ModelCheckpoint(progress / "best", "best", monitor="dev_loss", save_weights_only=True)
    # Written behind each look at dev, and last: so it holds what `best` and `patience` made of that look.
    resume = ModelCheckpoint(progress / "resume", "resume", save_on_train_epoch_end=False)
    for checkpoint in (best, resume):
        checkpoint._enable_version_counter = False
    _quiet()
    trainer = Trainer(
        accelerator=accelerator,
        devices=1,
        max_epochs=1,
        max_steps=course.steps,
        accumulate_grad_batches=accumulate,
        gradient_clip_val=course.clip_norm,
        val_check_interval=course.check_every * accumulate,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=_curves(progress / "curves"),
        callbacks=[*callbacks, best, resume, _Patience("dev_loss", patience=course.patience), TQDMProgressBar(10)],
        enable_model_summary=False,
    )
    loader = EndlessBatches(train, course.micro_batch_size, course.steps * accumulate, seed)
    dev_loader: DataLoader[Example] = DataLoader(list(dev), batch_size=32, collate_fn=list)  # type: ignore[arg-type]
    last = progress / "resume" / "resume.ckpt"
    trainer.fit(module, loader, dev_loader, ckpt_path=last if last.exists() else None, weights_only=True)
    state = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
    module.load_state_dict(state["state_dict"])
    assert best.best_model_score is not None, "dev is looked at before the last step"
    return TrainingResult(module.mapper.cpu(), float(best.best_model_score), trainer.global_step)


class _Patience(EarlyStopping):
    """Early stopping that also holds for a run which is started again after it was stopped."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def trainable_share(mapper: LinearMapper, llm: FrozenLLM, vision_parameters: int) -> float:
    """Share of trained parameters among all that a link runs through."""
    trained = sum(parameter.numel() for parameter in mapper.parameters())
    return trained / (trained + sum(parameter.numel() for parameter in llm.model.parameters()) + vision_parameters)


def clear_progress(progress: Path) -> None:
    """Forget the state of a run whose result is safe."""
    shutil.rmtree(progress, ignore_errors=True)


def _curves(folder: Path) -> Any:
    from dvclive.lightning import DVCLiveLogger

    return DVCLiveLogger(dir=str(folder), report=None, save_dvc_exp=False, dvcyaml=None, resume=True)


def _quiet() -> None:
    """Lightning advises on workers, on devices and on accumulation; none of it applies to a list of token ids."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
