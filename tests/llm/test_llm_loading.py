"""Loading a frozen LLM: as it is, quantized, and all that keeps it from being loaded."""

import dataclasses
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, LlamaForCausalLM

from gemel.core.errors import BackboneError
from gemel.core.settings import BackboneSettings, LLMSettings
from gemel.entities.trie_build import build_trie
from gemel.llm import loading
from gemel.llm.loading import load_llm
from gemel.llm.search import BeamSearch
from gemel.llm.segments import Prompt, Segment


@pytest.fixture
def wider(tiny_backbones: BackboneSettings, tmp_path: Path) -> LLMSettings:
    """A wider LLM: on some processors bitsandbytes packs weights of 4 bits in blocks of 64, and fails on less."""
    folder = shutil.copytree(tiny_backbones.llm.model, tmp_path / "llm")
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(folder, hidden_size=128, head_dim=32, intermediate_size=128)
    LlamaForCausalLM(config).save_pretrained(folder)
    return dataclasses.replace(tiny_backbones.llm, model=str(folder))


@pytest.mark.parametrize(("weights", "layer"), [("8bit", "Linear8bitLt"), ("4bit", "Linear4bit")])
def test_quantized_llm_is_searched_like_any_other(wider: LLMSettings, weights: str, layer: str) -> None:
    pytest.importorskip("bitsandbytes")
    full, small = (load_llm(dataclasses.replace(wider, weights=each)) for each in ("full", weights))
    assert type(small.model.get_submodule("model.layers.0.mlp.up_proj")).__name__ == layer
    assert not any(parameter.requires_grad for parameter in small.model.parameters())
    names = [tuple(full.encode(name)) for name in ("Jaguar", "Jaguar Cars", "Amazon", "Mercury")]
    scores = []
    for llm in (full, small):
        search = BeamSearch(llm.model, build_trie(names), eos_token_id=llm.eos_token_id, num_beams=4)
        (found,) = search.find([Prompt((Segment(tuple(llm.encode("The Jaguar slept"))),))])
        by_name = dict(zip(found.name_indices, found.scores, strict=True))
        scores.append(torch.tensor([by_name[index] for index in range(4)]))
    torch.testing.assert_close(scores[0], scores[1], atol=0.5, rtol=0)
    assert not torch.equal(scores[0], scores[1])


def test_quantized_weights_without_their_library_are_refused(
    tiny_backbones: BackboneSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    with pytest.raises(BackboneError, match=r"8bit needs bitsandbytes .* run `pip install 'gemel\[quantized\]'"):
        load_llm(dataclasses.replace(tiny_backbones.llm, weights="8bit"))


@pytest.fixture
def folder(tmp_path: Path, tiny_backbones: BackboneSettings) -> Path:
    """A copy of the tiny LLM, to be spoilt."""
    return shutil.copytree(tiny_backbones.llm.model, tmp_path / "llm")


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def drop_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def lost_part(folder: Path) -> None:
    no_weights(folder)
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def cut_off(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:300])


def lost_head(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def encoder_decoder(folder: Path) -> None:
    AutoConfig.for_model("t5", architectures=["T5ForConditionalGeneration"]).save_pretrained(folder)


def encoder(folder: Path) -> None:
    AutoConfig.for_model("bert", architectures=["BertForMaskedLM"]).save_pretrained(folder)


def classifier(folder: Path) -> None:
    change(folder / "config.json", architectures=["LlamaForSequenceClassification"])


def unknown_family(folder: Path) -> None:
    change(folder / "config.json", model_type="unheard-of")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (drop_config, "llm: no config.json, so this is no model of transformers; name another folder or hub id"),
        (
            only_pickle,
            r"llm: no \*\.safetensors, only pytorch_model.bin, a pickle, which could run any code; convert its",
        ),
        (no_weights, r"llm: no \*\.safetensors; convert its weights with .*, or take a revision that has safetensors"),
        (lost_part, "llm: files that model.safetensors.index.json names are missing; fetch the model again"),
        (cut_off, r"llm: can't be loaded \(.*\); its files may be damaged or cut off: fetch them again"),
        (lost_head, "llm: its files lack 1 weights, among them lm_head.weight, which would be random; name a causal"),
        (no_json, r"llm: can't be loaded \(.*config.json.*\); its files may be damaged"),
        (
            encoder_decoder,
            "llm: T5ForConditionalGeneration is no causal language model, which reads from left to right",
        ),
        (encoder, "llm: BertForMaskedLM is no causal language model"),
        (classifier, "llm: LlamaForSequenceClassification is no causal language model"),
        (unknown_family, r"llm: can't be loaded \(.*unheard-of.*\)"),
    ],
)
def test_spoilt_folder_is_refused(folder: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(folder)
    with pytest.raises(BackboneError, match=words):
        load_llm(LLMSettings(str(folder)))


@pytest.mark.parametrize("dtype", ["float23", "int8", "nn", "float8_e4m3fn"])
def test_dtype_that_weights_can_not_have_is_refused(tiny_backbones: BackboneSettings, dtype: str) -> None:
    with pytest.raises(
        BackboneError, match=f"backbone.llm.dtype: no such dtype '{dtype}'; known are float32, bfloat16"
    ):
        load_llm(dataclasses.replace(tiny_backbones.llm, dtype=dtype))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_attention_is_passed_on(tiny_backbones: BackboneSettings, attention) -> None:
    llm = load_llm(dataclasses.replace(tiny_backbones.llm, attention=attention))
    assert llm.model.config._attn_implementation == attention


def flash(tiny_backbones: BackboneSettings, **settings: str) -> LLMSettings:
    return dataclasses.replace(tiny_backbones.llm, attention="flash_attention_2", **settings)


def test_attention_without_its_kernel_is_refused(
    tiny_backbones: BackboneSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    with pytest.raises(BackboneError, match="flash_attention_2 needs flash_attn, which is not installed; set sdpa or"):
        load_llm(flash(tiny_backbones))


def test_attention_that_needs_a_card_is_refused_on_the_cpu(
    tiny_backbones: BackboneSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda _: True)
    with pytest.raises(
        BackboneError, match="needs a CUDA card and bfloat16 or float16, found cpu and bfloat16; set sdpa"
    ):
        load_llm(flash(tiny_backbones, dtype="bfloat16"))


@pytest.mark.parametrize(
    ("attention", "words"),
    [
        ("sdpa", "LlamaForCausalLM has no sdpa; set eager"),
        ("flash_attention_2", "LlamaForCausalLM has no flash_attention_2; set sdpa or eager"),
    ],
)
def test_attention_that_the_class_lacks_is_refused(
    tiny_backbones: BackboneSettings, monkeypatch: pytest.MonkeyPatch, attention, words: str
) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda _: True)
    monkeypatch.setattr("transformers.LlamaForCausalLM._supports_sdpa", False)
    monkeypatch.setattr("transformers.LlamaForCausalLM._supports_flash_attn", False)
    with pytest.raises(BackboneError, match=words):
        load_llm(dataclasses.replace(tiny_backbones.llm, attention=attention))


def test_local_folder_has_no_commit_and_no_warning(tiny_backbones: BackboneSettings) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert load_llm(tiny_backbones.llm).commit is None
