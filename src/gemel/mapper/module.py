"""The Lightning module: trains the mapper through the frozen LLM."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from gemel.llm.backbone import FrozenLLM
from gemel.llm.segments import Segment, embed_segments
from gemel.mapper.examples import Batch
from gemel.mapper.mapper import LinearMapper

# The longest prompt of a forward pass, by its shortest one.
MOST_PADDED = 1.5


@dataclass(frozen=True)
class Schedule:
    """The course in optimizer steps: linear warm-up to the peak rate, then cosine decay to zero."""

    steps: int
    warmup_steps: int
    peak_rate: float
    weight_decay: float


class MapperTraining(LightningModule):
    """Cross-entropy of the name's tokens and EOS; the gradient goes through the frozen LLM into the mapper."""

    def __init__(self, mapper: LinearMapper, llm: FrozenLLM, schedule: Schedule, leading_bos: bool = False) -> None:
        super().__init__()
        self.mapper = mapper
        # In a tuple, so that Lightning neither registers, moves, saves nor trains the frozen model.
        self._frozen = (llm,)
        self._schedule, self._bos = schedule, llm.leading_ids(leading_bos)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Leave the batch on the host: only its images are moved, once they are stacked."""
        return batch

    def training_step(self, batch: Batch, _: int) -> Tensor:
        loss = self.example_losses(batch).mean()
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"training loss is {loss.item()} at step {self.global_step}; lower mapper.course.peak_rate"
            )
        self.log("train_loss", loss, batch_size=len(batch), prog_bar=True)
        # A micro-batch without any image teaches nothing; its gradient is zero then, not absent.
        return loss + 0 * self.mapper.linear.weight.sum()

    def validation_step(self, batch: Batch, _: int) -> None:
        self.log("dev_loss", self.example_losses(batch).mean(), batch_size=len(batch), prog_bar=True)

    def example_losses(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of each example's target tokens: (batch,)."""
        prompts = self._embed(batch)
        losses: dict[int, Tensor] = {}
        for rows in rows_of_like_length([len(prompt) for prompt in prompts]):
            found = self._losses([batch[row].target_ids for row in rows], [prompts[row] for row in rows])
            losses.update(zip(rows, found, strict=True))
        return torch.stack([losses[row] for row in range(len(batch))])

    def _losses(self, targets: Sequence[Sequence[int]], prompts: Sequence[Tensor]) -> Iterator[Tensor]:
        """The loss of each prompt, from one forward pass."""
        (llm,) = self._frozen
        # Right-padded without a mask: attention is causal, so what stands behind a name can't reach it.
        hidden = llm.model.base_model(inputs_embeds=pad_sequence(list(prompts), batch_first=True)).last_hidden_state
        lengths = [len(target) for target in targets]
        at_names = torch.cat(
            [
                hidden[row, len(prompt) - n : len(prompt)]
                for row, (prompt, n) in enumerate(zip(prompts, lengths, strict=True))
            ]
        )
        logits = llm.head(at_names).float()
        tokens = torch.tensor([token for target in targets for token in target], device=logits.device)
        losses = cross_entropy(logits, tokens, reduction="none")
        return (loss.mean() for loss in torch.split(losses, lengths))

    def _embed(self, batch: Batch) -> list[Tensor]:
        """Prompt and all target tokens but the last, embedded: (length, llm_dim) each."""
        (llm,) = self._frozen
        images = [s.image for example in batch for s in example.segments if s.image is not None]
        soft = iter(self.mapper(torch.stack(images).to(self.device)) if images else ())
        prompts = []
        for example in batch:
            segments = [Segment(s.token_ids, None if s.image is None else next(soft)) for s in example.segments]
            answer = Segment(example.target_ids[:-1])
            prompts.append(embed_segments([*segments, answer], llm.embedding, self._bos))
        return prompts

    def configure_optimizers(self) -> Any:
        schedule = self._schedule
        optimizer = torch.optim.AdamW(
            self.mapper.parameters(), lr=schedule.peak_rate, weight_decay=schedule.weight_decay
        )
        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_share(step, schedule))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def on_fit_start(self) -> None:
        nn.Module.to(self._frozen[0].model, self.device)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The mapper alone."""
        return {f"mapper.{name}": value for name, value in self.mapper.state_dict(*args, **kwargs).items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        weights = {name.removeprefix("mapper."): value for name, value in state_dict.items()}
        return self.mapper.load_state_dict(weights, strict, assign)


def rows_of_like_length(lengths: Sequence[int]) -> list[list[int]]:
    """Group rows so that no more than a third of a group's positions is padding; each row is in one group."""
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if groups and lengths[row] <= MOST_PADDED * lengths[groups[-1][0]]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def rate_share(step: int, schedule: Schedule) -> float:
    """Share of the peak rate at an optimizer step."""
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    course = (step - schedule.warmup_steps) / max(1, schedule.steps - schedule.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, course)))
