"""The training step: what is trained, what is frozen, and the loss and gradient against a plain computation."""

import copy
import dataclasses
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from toy import COURSE, fresh_mapper, make_examples, train_toy
from transformers import OPTConfig, OPTForCausalLM

from gemel.core.errors import BackboneError, ShapeError, TrainingError
from gemel.core.settings import TrainingRuntime
from gemel.llm.backbone import FrozenLLM
from gemel.llm.ragged import RaggedReader
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.examples import Batch, Example, ExampleSegment
from gemel.mapper.module import MapperTraining

WORDS_ALONE = Example((ExampleSegment((20,), None),), (40, 0), name="words alone")
RUNTIMES = [
    TrainingRuntime(),
    TrainingRuntime(tokens_at_once=1),
    TrainingRuntime(tokens_at_once=30),
    TrainingRuntime(activation_checkpointing=True),
]


def make_module(mapper: Adapter, llm: FrozenLLM, runtime: TrainingRuntime | None = None) -> MapperTraining:
    """A module that runs without a trainer."""
    made = MapperTraining(mapper, llm, COURSE, runtime)
    made.log = lambda *_, **__: None  # type: ignore[method-assign]
    return made


@pytest.fixture
def module(llm: FrozenLLM) -> MapperTraining:
    return make_module(fresh_mapper(), llm)


@pytest.fixture(scope="module")
def opt(llm: FrozenLLM) -> FrozenLLM:
    """Like OPT-350m: embeddings narrower than the model, and dropout that a frozen model must not do."""
    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=len(llm.tokenizer),
        hidden_size=48,
        word_embed_proj_dim=llm.width,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        do_layer_norm_before=False,
        dropout=0.5,
    )
    return FrozenLLM(OPTForCausalLM(config).eval().requires_grad_(False), llm.tokenizer)


@pytest.fixture(params=["llama", "opt"])
def family(request: pytest.FixtureRequest, llm: FrozenLLM, opt: FrozenLLM) -> FrozenLLM:
    return {"llama": llm, "opt": opt}[request.param]


def plain_loss(llm: FrozenLLM, mapper: Adapter, example: Example) -> Tensor:
    """One example at a time, by Hugging Face's own loss over labels."""
    parts = []
    for segment in example.segments:
        parts += [] if segment.image is None else [mapper(segment.image[None])[0]]
        parts.append(llm.embedding(torch.tensor(segment.token_ids)))
    prompt, target = torch.cat(parts), torch.tensor(example.target_ids)
    labels = torch.cat([torch.full((len(prompt),), -100), target])
    inputs = torch.cat([prompt, llm.embedding(target)])
    return llm.model(inputs_embeds=inputs[None], labels=labels[None]).loss


def plain_losses(llm: FrozenLLM, mapper: Adapter, examples: list[Example]) -> Tensor:
    return torch.stack([plain_loss(llm, mapper, example) for example in examples])


def gradients(module: MapperTraining, loss: Tensor) -> list[Tensor]:
    module.mapper.zero_grad()
    loss.backward()
    found = [parameter.grad for parameter in module.mapper.parameters()]
    return [grad.clone() for grad in found if grad is not None]


def relative_difference(found: list[Tensor], wanted: list[Tensor]) -> float:
    one, other = (torch.cat([each.flatten() for each in grads]) for grads in (found, wanted))
    return float((one - other).norm() / other.norm())


def test_exactly_the_mappers_weight_and_bias_require_a_gradient(module: MapperTraining, llm: FrozenLLM) -> None:
    trained = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    assert trained == ["mapper.linear.weight", "mapper.linear.bias"]
    assert not any(parameter.requires_grad for parameter in llm.model.parameters())


def test_optimizer_holds_exactly_the_mappers_weight_and_bias(module: MapperTraining) -> None:
    (group,) = module.configure_optimizers()["optimizer"].param_groups
    assert [id(parameter) for parameter in group["params"]] == [id(p) for p in module.mapper.parameters()]


def test_state_dict_holds_exactly_the_mappers_weight_and_bias(module: MapperTraining) -> None:
    assert set(module.state_dict()) == {"mapper.linear.weight", "mapper.linear.bias"}


def test_state_dict_comes_back(module: MapperTraining, llm: FrozenLLM) -> None:
    other = make_module(fresh_mapper(seed=5), llm)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other.mapper.output.weight, module.mapper.output.weight)


def test_mapper_is_trained_in_float32(module: MapperTraining) -> None:
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


@pytest.mark.parametrize("runtime", RUNTIMES, ids=str)
def test_losses_equal_a_plain_computation(family: FrozenLLM, runtime: TrainingRuntime) -> None:
    module, examples = make_module(fresh_mapper(), family, runtime), make_examples(8, 0)
    plain = plain_losses(family, module.mapper, examples)
    torch.testing.assert_close(module.example_losses(examples), plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=str)
@pytest.mark.parametrize("adapter", ["linear", "mlp"])
def test_gradient_equals_that_of_a_plain_computation(family: FrozenLLM, runtime: TrainingRuntime, adapter: str) -> None:
    module, examples = make_module(fresh_mapper(adapter=adapter), family, runtime), [*make_examples(6, 0), WORDS_ALONE]
    wanted = gradients(module, plain_losses(family, module.mapper, examples).mean())
    assert relative_difference(gradients(module, module.training_step(examples, 0)), wanted) < 1e-5


def test_compiled_layers_give_the_same_gradient(llm: FrozenLLM) -> None:
    examples = make_examples(4, 0)
    usual, compiled = (make_module(fresh_mapper(), llm, TrainingRuntime(compile=compile)) for compile in (False, True))
    wanted = gradients(usual, usual.training_step(examples, 0))
    assert relative_difference(gradients(compiled, compiled.training_step(examples, 0)), wanted) < 1e-5


def test_step_returns_the_mean_loss_of_its_examples(module: MapperTraining) -> None:
    examples = make_examples(6, 0)
    torch.testing.assert_close(module.training_step(examples, 0), module.example_losses(examples).mean())


def test_layers_run_as_usual_outside_of_the_step(llm: FrozenLLM) -> None:
    module = make_module(fresh_mapper(), llm, TrainingRuntime(activation_checkpointing=True))
    before = llm.model.model.layers[0].forward
    module.training_step(make_examples(4, 0), 0)
    assert llm.model.model.layers[0].forward == before
    assert llm.model.config._attn_implementation == "sdpa"


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Positions of each forward pass of the LLM; more than 40 at once don't fit."""
    seen: list[int] = []

    def read(reader: RaggedReader, prompts: list[Tensor]) -> Tensor:
        seen.append(sum(map(len, prompts)))
        if seen[-1] > 40:
            raise torch.OutOfMemoryError("41 positions are too many")
        return usual(reader, prompts)

    usual = RaggedReader.read
    monkeypatch.setattr(RaggedReader, "read", read)
    return seen


def test_passes_stay_under_the_budget(llm: FrozenLLM, passes: list[int]) -> None:
    make_module(fresh_mapper(), llm, TrainingRuntime(tokens_at_once=25)).training_step(make_examples(8, 0), 0)
    assert max(passes) <= 25
    assert len(passes) < 8


def test_memory_that_runs_out_halves_the_passes(llm: FrozenLLM, passes: list[int]) -> None:
    module, examples = make_module(fresh_mapper(), llm), make_examples(8, 0)
    found = gradients(module, module.training_step(examples, 0))
    assert passes[0] > 40 >= passes[-1]
    wanted = gradients(module, plain_losses(llm, module.mapper, examples).mean())
    assert relative_difference(found, wanted) < 1e-5


def test_example_that_alone_does_not_fit_is_named(llm: FrozenLLM, passes: list[int]) -> None:  # noqa: ARG001
    long = Example((ExampleSegment(tuple(range(20, 70)), torch.ones(24)),), (40, 0), name="m17")
    words = r"example 'm17' of 53 positions alone needs more memory .*\(41 positions .*activation_checkpointing: true"
    with pytest.raises(TrainingError, match=words):
        make_module(fresh_mapper(), llm).training_step([long], 0)


def test_leading_bos_changes_the_prompt_alone(llm: FrozenLLM, module: MapperTraining) -> None:
    tokenizer = copy.deepcopy(llm.tokenizer)
    tokenizer.bos_token = "b"
    with_bos = MapperTraining(module.mapper, FrozenLLM(llm.model, tokenizer), COURSE, leading_bos=True)
    (bos,) = tokenizer.encode("b", add_special_tokens=False)
    (example,) = make_examples(1, 0)
    first = ExampleSegment((bos,), None)
    by_hand = Example((first, *example.segments), example.target_ids)
    torch.testing.assert_close(with_bos.example_losses([example]), module.example_losses([by_hand]))


def test_leading_bos_without_a_bos_token_is_refused(llm: FrozenLLM) -> None:
    with pytest.raises(BackboneError, match="no BOS token"):
        MapperTraining(fresh_mapper(), llm, COURSE, leading_bos=True)


def test_batch_without_any_image_teaches_nothing_and_stops_nothing(module: MapperTraining) -> None:
    loss = module.training_step([WORDS_ALONE], 0)
    assert loss.isfinite()
    assert not any(grad.any() for grad in gradients(module, loss))


def test_image_of_another_width_is_refused(module: MapperTraining) -> None:
    with pytest.raises(ShapeError, match=r"width 3, but the mapper takes .*run `dvc repro mapper`"):
        module.example_losses([Example((ExampleSegment((20,), torch.zeros(3)),), (40, 0))])


def test_loss_that_is_not_finite_stops_the_training_and_names_the_examples(module: MapperTraining) -> None:
    bad = dataclasses.replace(make_examples(1, 0)[0], name="m99")
    bad = dataclasses.replace(bad, segments=(ExampleSegment((20,), torch.full((24,), torch.inf)),))
    words = r"optimizer step 1: the loss of 1 of 3 examples is not finite: 'm99'; .*lower mapper.course.peak_rate"
    with pytest.raises(TrainingError, match=words):
        module.training_step([*make_examples(2, 0), bad], 0)


class Watch(Callback):
    """Notes every batch, and the rate of every optimizer step."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        self.batches.append(batch)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:  # noqa: ARG002
        self.rates.append(optimizer.param_groups[0]["lr"])


@pytest.fixture(scope="module")
def watched(llm: FrozenLLM, tmp_path_factory: pytest.TempPathFactory) -> tuple[Watch, dict[str, Tensor]]:
    """A run, and the LLM's weights before it."""
    before = {name: value.clone() for name, value in llm.model.state_dict().items()}
    watch = Watch()
    runtime = TrainingRuntime(tokens_at_once=20, activation_checkpointing=True)
    train_toy(llm, tmp_path_factory.mktemp("watched"), callbacks=[watch], runtime=runtime)
    return watch, before


def test_one_batch_of_the_loader_is_one_optimizer_step(watched: tuple[Watch, Any]) -> None:
    assert [len(batch) for batch in watched[0].batches] == [COURSE.batch_size] * COURSE.steps
    # Of 6 steps, 2 of them warm-up.
    shares = [0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447]
    assert watched[0].rates == pytest.approx([COURSE.peak_rate * share for share in shares], rel=1e-4)


def test_frozen_llm_is_the_same_after_training(watched: tuple[Any, dict[str, Tensor]], llm: FrozenLLM) -> None:
    after = llm.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in watched[1].items())
    assert all(parameter.grad is None for parameter in llm.model.parameters())
