"""What gemel asks of a model holds for every family that it takes, and the others are refused."""

import pytest
import torch
from families import FAMILIES, make_llm

from gemel.core.errors import BackboneError
from gemel.llm.backbone import FrozenLLM
from gemel.llm.probe import check_llm

REFUSED = {"falcon-alibi", "bloom", "mpt", "mamba", "bert"}
TAKEN = sorted(set(FAMILIES) - REFUSED)


@pytest.fixture(params=TAKEN)
def llm(request: pytest.FixtureRequest) -> FrozenLLM:
    return make_llm(request.param)


def test_soft_tokens_and_head_give_the_models_own_logits(llm: FrozenLLM) -> None:
    ids = torch.tensor([[5, 9, 40, 3, 9]])
    embedded = llm.embedding(ids)
    assert embedded.shape[-1] == llm.width
    hidden = llm.model.base_model(inputs_embeds=embedded).last_hidden_state
    torch.testing.assert_close(llm.logits(hidden[0]), llm.model(input_ids=ids).logits[0])


def test_gradient_reaches_soft_tokens(llm: FrozenLLM) -> None:
    soft = llm.embedding(torch.tensor([[5, 9]])).clone().requires_grad_()
    llm.logits(llm.model.base_model(inputs_embeds=soft).last_hidden_state[0]).logsumexp(-1).sum().backward()
    assert soft.grad is not None
    assert soft.grad.abs().sum() > 0


def test_family_passes_its_trial(llm: FrozenLLM) -> None:
    check_llm(llm)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_trial_leaves_the_attention_as_it_was(attention: str) -> None:
    llm = make_llm("llama")
    llm.model.set_attn_implementation(attention)
    check_llm(llm)
    assert llm.model.config._attn_implementation == attention


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("falcon-alibi", r"falcon: searching it fails \(.*\); choose an LLM of another family"),
        ("bloom", "bloom: its config states no longest sequence .*; choose another LLM"),
        ("mpt", r"mpt: searching it changes the log-probability of a name by 0\.\d+, more than the 0.001"),
        ("mamba", r"mamba: has layers \['linear_attention'\] that don't look back at what was read"),
        ("bert", "bert: searching it changes the log-probability of a name"),
    ],
)
def test_family_that_can_not_be_used_is_refused(name: str, words: str) -> None:
    with pytest.raises(BackboneError, match=words):
        check_llm(make_llm(name))


def test_head_that_is_not_the_models_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = make_llm("gemma2")
    monkeypatch.setattr(FrozenLLM, "logits", lambda self, hidden: self.model.get_output_embeddings()(hidden))
    with pytest.raises(BackboneError, match="gemma2: training through it changes the log-probability of a name by"):
        check_llm(llm)


@pytest.mark.parametrize(
    ("name", "settings", "context"),
    [
        ("llama", {}, 128),
        ("llama", {"max_position_embeddings": 77}, 77),
        ("mistral", {}, 64),
        ("mistral", {"sliding_window": None}, 128),
        ("mistral", {"sliding_window": 4096}, 128),
        ("qwen2", {"sliding_window": 40}, 128),
        ("qwen2-window", {}, 40),
        ("qwen2-window", {"max_window_layers": 2}, 128),
        ("gpt_neo", {}, 48),
        ("gpt2", {}, 128),
    ],
)
def test_context_is_the_longest_sequence_or_an_active_window(name: str, settings: dict, context: int) -> None:
    assert make_llm(name, **settings).context == context


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_passes_its_trial(dtype: torch.dtype) -> None:
    llm = make_llm("llama")
    llm.model.to(dtype)
    check_llm(llm)
