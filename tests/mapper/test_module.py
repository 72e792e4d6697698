"""The training step: what is trained, what is frozen, and the loss against a plain computation."""

import copy
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from toy import COURSE, fresh_mapper, make_examples, train_toy

from gemel.core.errors import BackboneError, ShapeError
from gemel.llm.backbone import FrozenLLM
from gemel.mapper.examples import Batch, Example, ExampleSegment
from gemel.mapper.mapper import LinearMapper
from gemel.mapper.module import MapperTraining, Schedule, rate_share, rows_of_like_length

SCHEDULE = Schedule(steps=6, warmup_steps=2, peak_rate=0.02, weight_decay=0.01)


@pytest.fixture
def module(llm: FrozenLLM) -> MapperTraining:
    return MapperTraining(fresh_mapper(), llm, SCHEDULE)


def plain_loss(llm: FrozenLLM, mapper: LinearMapper, example: Example) -> Tensor:
    """One example at a time, by Hugging Face's own loss over labels."""
    parts = []
    for segment in example.segments:
        parts += [] if segment.image is None else [mapper(segment.image[None])[0]]
        parts.append(llm.embedding(torch.tensor(segment.token_ids)))
    prompt, target = torch.cat(parts), torch.tensor(example.target_ids)
    labels = torch.cat([torch.full((len(prompt),), -100), target])
    inputs = torch.cat([prompt, llm.embedding(target)])
    return llm.model(inputs_embeds=inputs[None], labels=labels[None]).loss


def gradient(module: MapperTraining, loss: Tensor) -> Tensor:
    module.mapper.zero_grad()
    loss.backward()
    grad = module.mapper.linear.weight.grad
    assert grad is not None
    return grad.clone()


def test_exactly_the_mappers_weight_and_bias_require_a_gradient(module: MapperTraining, llm: FrozenLLM) -> None:
    trained = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    assert trained == ["mapper.linear.weight", "mapper.linear.bias"]
    assert not any(parameter.requires_grad for parameter in llm.model.parameters())


def test_optimizer_holds_exactly_the_mappers_weight_and_bias(module: MapperTraining) -> None:
    (group,) = module.configure_optimizers()["optimizer"].param_groups
    assert [id(parameter) for parameter in group["params"]] == [id(p) for p in module.mapper.linear.parameters()]


def test_state_dict_holds_exactly_the_mappers_weight_and_bias(module: MapperTraining) -> None:
    assert set(module.state_dict()) == {"mapper.linear.weight", "mapper.linear.bias"}


def test_state_dict_comes_back(module: MapperTraining, llm: FrozenLLM) -> None:
    other = MapperTraining(fresh_mapper(seed=5), llm, SCHEDULE)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other.mapper.linear.weight, module.mapper.linear.weight)


def test_mapper_is_trained_in_float32(module: MapperTraining) -> None:
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


def test_losses_equal_a_plain_computation(module: MapperTraining, llm: FrozenLLM) -> None:
    examples = make_examples(8, 0)
    plain = torch.stack([plain_loss(llm, module.mapper, example) for example in examples])
    torch.testing.assert_close(module.example_losses(examples), plain, rtol=1e-5, atol=1e-5)


def test_gradient_equals_that_of_a_plain_computation(module: MapperTraining, llm: FrozenLLM) -> None:
    examples = make_examples(6, 0)
    plain = torch.stack([plain_loss(llm, module.mapper, example) for example in examples]).mean()
    wanted = gradient(module, plain)
    torch.testing.assert_close(gradient(module, module.example_losses(examples).mean()), wanted, rtol=1e-4, atol=1e-6)


def test_padding_adds_nothing_to_the_loss(module: MapperTraining) -> None:
    short, long = Example((ExampleSegment((20,), None),), (40, 0)), make_examples(8, 0)[6]
    alone = module.example_losses([short])
    torch.testing.assert_close(module.example_losses([short, long])[:1], alone, rtol=1e-5, atol=1e-6)


def test_prompts_of_like_length_go_together() -> None:
    assert rows_of_like_length([30, 200, 45, 46, 190]) == [[0, 2], [3], [4, 1]]
    assert rows_of_like_length([7]) == [[0]]


def test_leading_bos_changes_the_prompt_alone(llm: FrozenLLM, module: MapperTraining) -> None:
    tokenizer = copy.deepcopy(llm.tokenizer)
    tokenizer.bos_token = "b"
    with_bos = MapperTraining(module.mapper, FrozenLLM(llm.model, tokenizer), SCHEDULE, leading_bos=True)
    (bos,) = tokenizer.encode("b", add_special_tokens=False)
    (example,) = make_examples(1, 0)
    first = ExampleSegment((bos,), None)
    by_hand = Example((first, *example.segments), example.target_ids)
    torch.testing.assert_close(with_bos.example_losses([example]), module.example_losses([by_hand]))


def test_leading_bos_without_a_bos_token_is_refused(llm: FrozenLLM) -> None:
    with pytest.raises(BackboneError, match="no BOS token"):
        MapperTraining(fresh_mapper(), llm, SCHEDULE, leading_bos=True)


def test_batch_without_any_image_has_a_loss_but_no_gradient(module: MapperTraining) -> None:
    loss = module.example_losses([Example((ExampleSegment((20,), None),), (40, 0))])
    assert loss.isfinite().all()
    assert not loss.requires_grad


def test_batch_without_any_image_teaches_nothing_and_stops_nothing(module: MapperTraining) -> None:
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    loss = module.training_step([Example((ExampleSegment((20,), None),), (40, 0))], 0)
    assert not gradient(module, loss).any()


def test_image_of_another_width_is_refused(module: MapperTraining) -> None:
    with pytest.raises(ShapeError, match=r"width 3, but the mapper takes .*run `dvc repro mapper`"):
        module.example_losses([Example((ExampleSegment((20,), torch.zeros(3)),), (40, 0))])


def test_loss_that_is_not_finite_stops_the_training(module: MapperTraining) -> None:
    module.mapper.linear.weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"training loss is nan .*; lower mapper.course.peak_rate"):
        module.training_step(make_examples(2, 0), 0)


@pytest.mark.parametrize(
    ("step", "share"), [(0, 0.5), (1, 1.0), (2, 1.0), (4, 0.5), (6, 0.0), (9, 0.0)]
)  # of 6 steps, 2 of them warm-up
def test_rate_warms_up_and_decays_to_zero(step: int, share: float) -> None:
    assert rate_share(step, SCHEDULE) == pytest.approx(share)


class Watch(Callback):
    """Notes the fresh mapper, every micro-batch, and the rate and summed gradient of every optimizer step."""

    def __init__(self) -> None:
        self.fresh: LinearMapper | None = None
        self.batches: list[Batch] = []
        self.rates: list[float] = []
        self.gradients: list[Tensor] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        assert isinstance(pl_module, MapperTraining)
        self.fresh = copy.deepcopy(pl_module.mapper)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        self.batches.append(batch)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:  # noqa: ARG002
        assert isinstance(pl_module, MapperTraining)
        grad = pl_module.mapper.linear.weight.grad
        assert grad is not None
        self.rates.append(optimizer.param_groups[0]["lr"])
        self.gradients.append(grad.clone())


@pytest.fixture(scope="module")
def watched(llm: FrozenLLM, tmp_path_factory: pytest.TempPathFactory) -> tuple[Watch, dict[str, Tensor]]:
    """A run with two micro-batches a step, and the LLM's weights before it."""
    before = {name: value.clone() for name, value in llm.model.state_dict().items()}
    watch = Watch()
    train_toy(llm, tmp_path_factory.mktemp("watched"), callbacks=[watch])
    return watch, before


def test_schedule_counts_optimizer_steps_not_micro_batches(watched: tuple[Watch, Any]) -> None:
    rates = [COURSE.peak_rate * rate_share(step, SCHEDULE) for step in range(COURSE.steps)]
    assert watched[0].rates == pytest.approx(rates)


def test_accumulated_gradient_equals_that_of_the_full_batch(watched: tuple[Watch, Any], llm: FrozenLLM) -> None:
    watch, _ = watched
    assert watch.fresh is not None
    accumulated = COURSE.batch_size // COURSE.micro_batch_size
    batch = [example for micro_batch in watch.batches[:accumulated] for example in micro_batch]
    assert len(batch) == COURSE.batch_size
    module = MapperTraining(watch.fresh, llm, SCHEDULE)
    whole = gradient(module, module.example_losses(batch).mean())
    torch.testing.assert_close(watch.gradients[0], whole, rtol=1e-3, atol=1e-5)


def test_frozen_llm_is_the_same_after_training(watched: tuple[Any, dict[str, Tensor]], llm: FrozenLLM) -> None:
    after = llm.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in watched[1].items())
    assert all(parameter.grad is None for parameter in llm.model.parameters())
