"""What a model takes: from its config, against what it takes when it is there."""

from pathlib import Path

import pytest
import torch
from families import make_model
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, LlamaConfig, PreTrainedModel

from benchmarks.training_race import kept_bytes
from gemel.core.errors import BackboneError
from gemel.core.settings import LLMSettings
from gemel.llm.footprint import FEW_TOKENS, GIB, MANY_TOKENS, check_fits, free_bytes, measure, tokens_at_once

POSITIONS = 64


@pytest.fixture(scope="module")
def llama2_7b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config of Llama-2-7B, without weights."""
    folder = tmp_path_factory.mktemp("llama2")
    shape = {"vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 11_008, "num_hidden_layers": 32}
    LlamaConfig(num_attention_heads=32, **shape).save_pretrained(folder)
    return folder


def saved_bytes(llm: PreTrainedModel) -> float:
    """Bytes per position that autograd keeps, the model's own tensors left out."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*llm.parameters(), *llm.buffers())}
    width = llm.get_input_embeddings().weight.shape[1]
    embeddings = torch.randn(1, POSITIONS, width, dtype=llm.dtype, requires_grad=True)
    return kept_bytes(lambda: llm.base_model(inputs_embeds=embeddings, use_cache=False), own) / POSITIONS


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "phi3"])
def test_saved_activations_are_those_that_autograd_keeps(family: str, dtype: str, tmp_path: Path) -> None:
    llm = make_model(family, num_hidden_layers=4).to(getattr(torch, dtype))
    llm.config.save_pretrained(tmp_path)
    assert measure(tmp_path, dtype).saved_bytes() == pytest.approx(saved_bytes(llm), rel=0.2)


@pytest.mark.parametrize("family", ["llama", "qwen3", "opt", "gpt2", "gpt_neox", "falcon"])
def test_weights_and_cache_are_counted_without_being_made(family: str, tmp_path: Path) -> None:
    llm = make_model(family)
    llm.config.save_pretrained(tmp_path)
    found = measure(tmp_path, "float32")
    assert found.weight_bytes() == sum(parameter.nbytes for parameter in llm.parameters())
    cache = DynamicCache()
    llm(input_ids=torch.zeros(1, 3, dtype=torch.long), past_key_values=cache, use_cache=True)
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers) / 3
    assert found.cache_bytes >= held
    assert family == "falcon" or found.cache_bytes == held  # Its heads share keys and values; this is an upper bound.


def test_llama2_7b_takes_what_is_known_of_it(llama2_7b: Path) -> None:
    found = measure(llama2_7b, "bfloat16")
    assert found.parameters == 6_738_415_616
    sizes = [found.weight_bytes(weights) / GIB for weights in ("full", "8bit", "4bit")]
    assert sizes == pytest.approx([12.55, 6.52, 3.88], abs=0.01)
    assert found.cache_bytes == 2**19
    assert 900 * found.saved_bytes() / 1e9 == pytest.approx(3.4, rel=0.2)
    assert 900 * found.saved_bytes(checkpointing=True) / GIB == pytest.approx(0.33, abs=0.01)


@pytest.mark.parametrize(
    ("settings", "free", "words"),
    [
        (
            {"dtype": "float32"},
            14,
            r"its weights need 25.1 GiB in float32 \(weights: full\), cpu has 14.0 GiB free; what would fit under "
            r"backbone.llm: dtype: bfloat16 \(12.6 GiB\), weights: 8bit \(6.5 GiB\), weights: 4bit \(3.9 GiB\); or",
        ),
        (
            {"dtype": "bfloat16"},
            7,
            r"need 12.6 GiB .* fit under backbone.llm: weights: 8bit \(6.5 GiB\), weights: 4bit",
        ),
        (
            {"dtype": "bfloat16", "weights": "8bit"},
            5,
            r"need 6.5 GiB in bfloat16 \(weights: 8bit\).*: weights: 4bit \(3.9",
        ),
        ({"dtype": "bfloat16"}, 2, "has 2.0 GiB free; choose a smaller model with `-S backbone=…`"),
    ],
)
def test_model_that_does_not_fit_is_refused_with_what_would(llama2_7b: Path, settings, free: int, words: str) -> None:
    with pytest.raises(BackboneError, match=words):
        check_fits(LLMSettings("x/llama", **settings), llama2_7b, "cpu", free * GIB)


def test_model_without_attention_is_refused(tmp_path: Path) -> None:
    make_model("mamba").config.save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="mamba has no layers of attention; choose an LLM that has"):
        measure(tmp_path, "float32")


def test_model_that_fits_is_let_through(llama2_7b: Path) -> None:
    check_fits(LLMSettings("x/llama", dtype="bfloat16"), llama2_7b, "cpu", 13 * GIB)


def test_free_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7 if device.index == 1 else 3, 9))
    assert free_bytes("cuda:1") == 7
    assert free_bytes("cuda") == 3
    assert free_bytes("cpu") > 2**20


@pytest.fixture(scope="module")
def laid_out(llama2_7b: Path) -> PreTrainedModel:
    """Llama-2-7B without weights, in 16 bit."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(llama2_7b), dtype=torch.bfloat16)


def test_passes_are_as_long_as_a_cards_memory_lets_them(laid_out: PreTrainedModel) -> None:
    # About 4 MB a position.
    assert tokens_at_once(laid_out, "cuda", False, free=120 * GIB) == MANY_TOKENS
    assert 2_000 < tokens_at_once(laid_out, "cuda", False, free=12 * GIB) < 3_000
    assert tokens_at_once(laid_out, "cuda", True, free=12 * GIB) == MANY_TOKENS
    assert tokens_at_once(laid_out, "cuda", False, free=GIB) == FEW_TOKENS


def test_passes_are_short_on_a_cpu(laid_out: PreTrainedModel) -> None:
    assert tokens_at_once(laid_out, "cpu", False) == FEW_TOKENS
