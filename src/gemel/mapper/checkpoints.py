"""The two files of a training run: its best mapper on dev, and the state that it goes on from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from gemel.core.errors import TrainingError
from gemel.mapper.mapper import WEIGHTS, save_mapper
from gemel.mapper.module import MapperTraining

STATE = "state.ckpt"


class Checkpoints(Checkpoint):
    """Keeps the best mapper on dev and the last state, each replaced as a whole.

    The state holds the mapper, optimizer, schedule, place in the data, random generators and what callbacks remember,
    and no frozen weights. It is saved every few optimizer steps and behind each look at dev, last of all callbacks.
    """

    def __init__(self, folder: Path, save_every: int) -> None:
        self._folder, self._save_every = folder, save_every
        self.best_loss, self.best_step = math.inf, 0

    @property
    def best(self) -> Path:
        """The best mapper on dev so far."""
        return self._folder / WEIGHTS

    @property
    def state(self) -> Path:
        """Where a run goes on from."""
        return self._folder / STATE

    def state_dict(self) -> dict[str, Any]:
        return {"best_loss": self.best_loss, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_loss, self.best_step = state_dict["best_loss"], state_dict["best_step"]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        checkpoint["random"] = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        torch.set_rng_state(checkpoint["random"]["cpu"].cpu())
        if len(checkpoint["random"]["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([state.cpu() for state in checkpoint["random"]["cuda"]])

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        looks = trainer.val_check_batch
        if trainer.global_step % self._save_every == 0 and looks and trainer.global_step % int(looks):
            self._save_state(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, MapperTraining)
        loss = float(trainer.callback_metrics["dev_loss"])
        if not math.isfinite(loss):
            raise TrainingError(
                f"optimizer step {trainer.global_step}: the mean loss on dev is {loss}; the last good state is kept. "
                "Lower mapper.course.peak_rate and run `dvc repro mapper` again"
            )
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, trainer.global_step
            if trainer.is_global_zero:
                draft = self.best.with_suffix(".draft")
                save_mapper(pl_module.mapper, draft)
                draft.replace(self.best)
        self._save_state(trainer)

    def _save_state(self, trainer: Trainer) -> None:
        draft = self.state.with_suffix(".draft")
        trainer.save_checkpoint(draft)
        if trainer.is_global_zero:
            draft.replace(self.state)
        trainer.strategy.barrier()
