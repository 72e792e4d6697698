"""The Lightning module: trains the mapper through the frozen LLM."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from gemel.core.errors import TrainingError
from gemel.core.settings import TrainingCourse, TrainingRuntime
from gemel.llm.backbone import FrozenLLM
from gemel.llm.footprint import tokens_at_once
from gemel.llm.ragged import RaggedReader
from gemel.llm.segments import Segment, embed_segments
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.examples import Batch, Example
from gemel.mapper.schedule import make_optimizer, rate_share

log = logging.getLogger(__name__)


class MapperTraining(LightningModule):
    """Cross-entropy of the name's tokens and EOS; the gradient goes through the frozen LLM into the mapper.

    A batch is all that an optimizer step sees. The mapper runs once for all its images, the LLM over a few examples at
    a time; what comes back from there is the loss and its gradient at the soft tokens, and the mapper's own gradient
    follows from that in one backward pass.
    """

    def __init__(
        self,
        mapper: Adapter,
        llm: FrozenLLM,
        course: TrainingCourse,
        runtime: TrainingRuntime | None = None,
        *,
        leading_bos: bool = False,
    ) -> None:
        """runtime: its tokens_at_once falls by half when memory runs out, and stays there."""
        super().__init__()
        runtime = runtime or TrainingRuntime()
        recompute, tokens = runtime.activation_checkpointing, runtime.tokens_at_once
        self.mapper = mapper
        # In a tuple, so that Lightning neither registers, moves, saves nor trains the frozen model.
        self._frozen = (llm,)
        self._course, self._leading = course, [Segment(llm.leading_ids(leading_bos))]
        self._reader = RaggedReader(llm.model, recompute=recompute, compile=runtime.compile)
        self.tokens_at_once = (
            tokens_at_once(llm.model, str(llm.model.device), recompute) if tokens == "auto" else tokens
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Leave the batch on the host: only its images are moved, once they are stacked."""
        return batch

    def training_step(self, batch: Batch, _: int) -> Tensor:
        soft = self.soft_tokens(batch)
        losses, gradient = self._losses(batch, soft)
        self._check_finite(batch, losses)
        loss = losses.mean()
        self.log("train_loss", loss, batch_size=len(batch), prog_bar=True, sync_dist=True)
        self.log("rate", self._rate(), batch_size=len(batch), prog_bar=True)
        # The value is the loss; the gradient is that of the soft tokens, for the mapper's backward pass.
        through = (soft * gradient).sum()
        return loss + through - through.detach()

    def validation_step(self, batch: Batch, _: int) -> None:
        loss = self.example_losses(batch).mean()
        self.log("dev_loss", loss, batch_size=len(batch), prog_bar=True, sync_dist=True)

    @torch.no_grad()
    def example_losses(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of each example's target tokens: (batch,)."""
        return self._losses(batch, self.soft_tokens(batch))[0]

    def soft_tokens(self, batch: Sequence[Example]) -> Tensor:
        """Soft tokens of all images of a batch, one example after the other: (images, prefix_tokens, llm_dim)."""
        images = [image for example in batch for image in example.images]
        # Without any image nothing is learned: the gradient is zero then, not absent.
        stacked = torch.stack(images) if images else torch.zeros(0, self.mapper.vision_dim)
        soft: Tensor = self.mapper(stacked.to(self.device))
        return soft

    def prompt(self, example: Example, soft: Iterable[Tensor]) -> tuple[Segment, ...]:
        """The segments that the LLM reads before it answers. soft: soft tokens of each of the example's images."""
        tokens = iter(soft)
        segments = (Segment(each.token_ids, None if each.image is None else next(tokens)) for each in example.segments)
        return (*self._leading, *segments)

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self.mapper, self._course)
        rates = LambdaLR(optimizer, lambda step: rate_share(step, self._course))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def on_fit_start(self) -> None:
        model = self._frozen[0].model
        if model.device != self.device:
            nn.Module.to(model, self.device)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The mapper alone."""
        return {f"mapper.{name}": value for name, value in self.mapper.state_dict(*args, **kwargs).items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        weights = {name.removeprefix("mapper."): value for name, value in state_dict.items()}
        return self.mapper.load_state_dict(weights, strict, assign)

    def _losses(self, batch: Batch, soft: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each example (batch,), and, where gradients are on, that of their mean at the soft tokens."""
        leaf = soft.detach().requires_grad_(torch.is_grad_enabled())
        per_example = torch.split(leaf, [len(example.images) for example in batch])
        gradient = torch.zeros_like(leaf)
        losses: list[Tensor] = []
        while len(losses) < len(batch):
            part = self._next_part(batch, len(losses))
            try:
                with self._reader.on():
                    found = self._read(batch[part], per_example[part])
                    if found.requires_grad:
                        gradient += torch.autograd.grad(found.sum() / len(batch), leaf)[0]
            except torch.OutOfMemoryError as error:
                reason = str(error).splitlines()[0]
            else:
                losses += found.detach().unbind()
                continue
            # Behind the handler, whose traceback would keep the tensors of the failed pass alive.
            self._halve(batch[part], reason)
        return torch.stack(losses), gradient

    def _next_part(self, batch: Batch, start: int) -> slice:
        """The examples from `start` on that the LLM reads together: one at least, more as the tokens allow."""
        end, tokens = start, 0
        while end < len(batch):
            tokens += batch[end].positions(self.mapper.prefix_tokens)
            if end > start and tokens > self.tokens_at_once:
                break
            end += 1
        return slice(start, end)

    def _read(self, batch: Sequence[Example], soft: Sequence[Tensor]) -> Tensor:
        """The loss of each of some examples, from one forward pass: (examples,)."""
        (llm,) = self._frozen
        prompts = [
            embed_segments((*self.prompt(example, tokens), Segment(example.target_ids[:-1])), llm.embedding)
            for example, tokens in zip(batch, soft, strict=True)
        ]
        hidden = self._reader.read(prompts)
        lengths = [len(example.target_ids) for example in batch]
        # Logits cost as much as several layers: they are made where a token of a name comes next, and nowhere else.
        ends = torch.tensor([len(prompt) for prompt in prompts]).cumsum(0).tolist()
        at_names = torch.cat([hidden[end - length : end] for end, length in zip(ends, lengths, strict=True)])
        logits = llm.logits(at_names).float()
        tokens = torch.tensor(list(chain.from_iterable(each.target_ids for each in batch)), device=logits.device)
        losses = cross_entropy(logits, tokens, reduction="none")
        return torch.stack([loss.mean() for loss in torch.split(losses, lengths)])

    def _halve(self, part: Sequence[Example], reason: str) -> None:
        """Go on with half as many tokens at once.

        Raises: TrainingError if it was a single example that memory did not suffice for.
        """
        tokens = sum(example.positions(self.mapper.prefix_tokens) for example in part)
        if len(part) == 1:
            raise TrainingError(
                f"example {part[0].name!r} of {tokens} positions alone needs more memory than there is ({reason}); set "
                "runtime.training.activation_checkpointing: true or backbone.llm.weights: 4bit, or show fewer "
                "demonstrations"
            )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.tokens_at_once = max(1, min(self.tokens_at_once, tokens) // 2)
        log.warning("out of memory with %d tokens; going on with %d at once", tokens, self.tokens_at_once)

    def _check_finite(self, batch: Batch, losses: Tensor) -> None:
        """Raises: TrainingError, naming the examples, if a loss is NaN or infinite."""
        bad = [example.name for example, finite in zip(batch, losses.isfinite().tolist(), strict=True) if not finite]
        if bad:
            raise TrainingError(
                f"optimizer step {self.global_step + 1}: the loss of {len(bad)} of {len(batch)} examples is not "
                f"finite: {', '.join(map(repr, bad))}; the last good state is kept. Look at their images' "
                "vectors, or lower mapper.course.peak_rate and run `dvc repro mapper` again"
            )

    def _rate(self) -> float:
        return float(self._course.peak_rate * rate_share(self.global_step, self._course))
