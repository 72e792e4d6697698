"""Tiny random models of many families, as their real classes build them."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from gemel.llm.backbone import FrozenLLM

VOCAB, EOS = 60, 2
_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
_GATED = _SIZES | {"intermediate_size": 64, "num_key_value_heads": 2}
_HEADED = _GATED | {"head_dim": 8}
_OPT = _SIZES | {"ffn_dim": 64, "word_embed_proj_dim": 32}
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
# name -> model_type and settings; a name with a dash is a variant of a family.
FAMILIES = {
    "llama": ("llama", _GATED),
    "mistral": ("mistral", _GATED | {"sliding_window": 64}),
    "qwen2": ("qwen2", _GATED),
    "qwen2-window": ("qwen2", _GATED | {"use_sliding_window": True, "sliding_window": 40, "max_window_layers": 1}),
    "qwen3": ("qwen3", _HEADED),
    "gemma": ("gemma", _HEADED),
    "gemma2": ("gemma2", _HEADED | {"final_logit_softcapping": 3.0, "sliding_window": 64}),
    "gemma3_text": ("gemma3_text", _HEADED | {"final_logit_softcapping": 3.0, "sliding_window": 64}),
    "cohere": ("cohere", _GATED | {"logit_scale": 0.25}),
    "granite": ("granite", _GATED | {"logits_scaling": 4.0, "embedding_multiplier": 3.0}),
    "olmo2": ("olmo2", _GATED),
    "opt": ("opt", _OPT),
    "opt-350m": ("opt", _OPT | {"word_embed_proj_dim": 16, "do_layer_norm_before": False}),
    "phi": ("phi", _SIZES | {"intermediate_size": 64}),
    "phi3": ("phi3", _GATED | {"pad_token_id": 0}),
    "gpt2": ("gpt2", _GPT2),
    "gpt_neox": ("gpt_neox", _SIZES | {"intermediate_size": 64}),
    "gpt_neo": ("gpt_neo", _SIZES | {"attention_types": [[["global", "local"], 1]], "window_size": 48}),
    "gptj": ("gptj", _GPT2 | {"rotary_dim": 4}),
    "falcon": ("falcon", _SIZES),
    "stablelm": ("stablelm", _GATED),
    "starcoder2": ("starcoder2", _GATED | {"sliding_window": None}),
    "mixtral": ("mixtral", _GATED | {"num_local_experts": 4}),
    "falcon-alibi": ("falcon", _SIZES | {"alibi": True}),
    "bloom": ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpt": ("mpt", {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 128, "expansion_ratio": 2}),
    "mamba": ("mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}),
    "bert": ("bert", _SIZES | {"intermediate_size": 64}),
}


def make_model(name: str, seed: int = 0, **settings) -> PreTrainedModel:
    """A random model in evaluation mode, whose scores differ clearly."""
    family, own = FAMILIES[name]
    ids = {"vocab_size": VOCAB, "bos_token_id": 0, "eos_token_id": EOS, "pad_token_id": 1}
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **(ids | own | settings)))
    for parameter in model.parameters():
        parameter.data.normal_(std=0.3) if parameter.ndim > 1 else None
    return model.requires_grad_(False).eval()


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that a model of any family may have."""
    words = {f"w{number}": number for number in range(VOCAB)}
    tokenizer = Tokenizer(models.WordLevel(words, "w1"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="w2", unk_token="w1")


def make_llm(name: str, **settings) -> FrozenLLM:
    return FrozenLLM(make_model(name, **settings), make_tokenizer())
