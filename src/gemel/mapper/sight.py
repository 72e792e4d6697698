"""What a person sees of a training run: the progress bar, the curves, and how many dev mentions would be linked."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, TQDMProgressBar

from gemel.entities.trie import PackedTrie
from gemel.llm.backbone import FrozenLLM
from gemel.llm.search import BeamSearch
from gemel.llm.segments import Prompt
from gemel.mapper.examples import Batch, Example
from gemel.mapper.module import MapperTraining

WATCH_BEAMS = 5
_STEPS_OF_SPEED = 20


class Sight(TQDMProgressBar):
    """The progress bar: loss, rate, examples/s, tokens/s and the time left.

    examples, tokens: worked on by this run so far, by all of its processes; seconds: that it took, dev aside.
    """

    def __init__(self, prefix_tokens: int) -> None:
        super().__init__(refresh_rate=10)
        self._prefix_tokens, self._start = prefix_tokens, 0.0
        self.examples, self.tokens, self.seconds = 0, 0, 0.0
        self._last: deque[tuple[int, int, float]] = deque([(0, 0, 0.0)], maxlen=_STEPS_OF_SPEED)

    def on_train_batch_start(self, trainer: Trainer, *arguments: Any) -> None:
        self._start = time.perf_counter()
        super().on_train_batch_start(trainer, *arguments)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self.examples += len(batch) * trainer.world_size
        self.tokens += sum(example.positions(self._prefix_tokens) for example in batch) * trainer.world_size
        self.seconds += time.perf_counter() - self._start
        self._last.append((self.examples, self.tokens, self.seconds))
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        (examples, tokens, start), (examples_now, tokens_now, end) = self._last[0], self._last[-1]
        passed = max(end - start, 1e-9)
        speed = {
            "examples/s": f"{(examples_now - examples) / passed:.3g}",
            "tokens/s": f"{(tokens_now - tokens) / passed:.3g}",
        }
        return {**super().get_metrics(trainer, pl_module), **speed}


class Curves(Callback):
    """Loss and rate of each optimizer step, loss and accuracy of each look at dev, kept by dvclive.

    A run that goes on from a saved state drops what was noted behind that state, so that its curves have no trace of a
    kill.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def tables(self) -> Path:
        """Where the curves lie as tables: step, value."""
        return self._folder / "plots" / "metrics"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        if not trainer.is_global_zero:
            return
        from dvclive import Live

        _cut(self.tables, trainer.global_step)
        self._live = Live(str(self._folder), resume=True, report=None, save_dvc_exp=False, dvcyaml=None)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self._note(trainer, "train_loss", "rate")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        self._note(trainer, "dev_loss", "dev_accuracy")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        if trainer.is_global_zero:
            self._live.end()

    def _note(self, trainer: Trainer, *names: str) -> None:
        if not trainer.is_global_zero:
            return
        metrics: Mapping[str, Any] = trainer.callback_metrics
        self._live.step = trainer.global_step
        for name in names:
            if name in metrics:
                self._live.log_metric(name, float(metrics[name]))
        self._live.sync()


class DevAccuracy(Callback):
    """At each look at dev, links a few of its mentions and logs the share that is right as dev_accuracy."""

    def __init__(self, llm: FrozenLLM, trie: PackedTrie, dev: Sequence[Example], count: int) -> None:
        """dev: the examples to take `count` of, evenly spread. trie: of the names that may be answered."""
        self._llm, self._trie = llm, trie
        self._examples = [dev[place * len(dev) // count] for place in range(count)] if count < len(dev) else list(dev)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        assert isinstance(pl_module, MapperTraining)
        # Every process links them all: they are few, and sharing them would be no faster.
        pl_module.log("dev_accuracy", self.accuracy(pl_module), prog_bar=True, batch_size=len(self._examples))

    def accuracy(self, module: MapperTraining) -> float:
        """Share of the examples whose best name is the one that they must answer with."""
        search = BeamSearch(self._llm.model, self._trie, eos_token_id=self._llm.eos_token_id, num_beams=WATCH_BEAMS)
        with torch.inference_mode():
            prompts = [Prompt(module.prompt(example, module.soft_tokens([example]))) for example in self._examples]
        found = search.find(prompts, results=1)
        right = [
            self._trie.index_of(example.target_ids[:-1]) == answer.name_indices[0]
            for example, answer in zip(self._examples, found, strict=True)
        ]
        return sum(right) / len(right)


def _cut(tables: Path, step: int) -> None:
    """Drop the rows behind a step, and a row that a kill left half written."""
    for table in tables.rglob("*.tsv"):
        header, *rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [row for row in rows if row.endswith("\n") and int(row.split("\t")[0]) <= step]
        table.write_text("".join([header, *kept]), encoding="utf-8")
