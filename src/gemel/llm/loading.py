"""Load a frozen LLM: all that may be wrong with it is said before its weights are read, and it is tried out behind."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from gemel.core.errors import BackboneError
from gemel.core.settings import LLMSettings
from gemel.llm.backbone import FrozenLLM
from gemel.llm.footprint import check_fits, torch_dtype
from gemel.llm.model_files import commit_of, fetch_model, is_pinned, loading_advice
from gemel.llm.probe import check_llm
from gemel.llm.tokens import load_tokenizer

_KERNELS = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def load_llm(settings: LLMSettings, device: str = "cpu") -> FrozenLLM:
    """Load a frozen LLM from a local folder or the hub, safetensors only.

    device: a torch device. Warns where a revision of the hub is no commit, so that it may change.
    Raises: BackboneError if it can't be had, is no causal language model or larger than the device, if what its dtype,
    attention or quantization needs is missing, or if training through it or searching it goes wrong.
    """
    folder = fetch_model(settings.model, settings.revision, weights=True)
    check_settings(settings, folder, device)
    commit = commit_of(settings.model, folder)
    if not is_pinned(settings.model, settings.revision):
        warnings.warn(
            f"{settings.model}: revision {settings.revision!r} may change; what was loaded is {commit}: write that as "
            "backbone.llm.revision in conf/backbone/",
            stacklevel=2,
        )
    tokenizer = load_tokenizer(settings.model, settings.revision)
    llm = FrozenLLM(_load_model(settings, folder, device), tokenizer, commit)
    check_llm(llm)
    return llm


def check_settings(settings: LLMSettings, folder: Path, device: str, free: int | None = None) -> None:
    """Refuse what can't be loaded, as far as its config, the settings and this machine tell.

    folder: of its config.json. device: a torch device. free: bytes of its memory; None asks it.
    Raises: BackboneError, as load_llm does.
    """
    torch_dtype(settings.dtype)
    _check_attention(settings, _model_class(settings.model, folder), device)
    check_fits(settings, folder, device, free)


def _load_model(settings: LLMSettings, folder: Path, device: str) -> PreTrainedModel:
    dtype = torch_dtype(settings.dtype)
    options = {} if settings.weights == "full" else _quantized(settings, dtype, device)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=settings.attention,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, SafetensorError, ValueError, RuntimeError, ImportError) as error:
        raise BackboneError(loading_advice(settings.model, error)) from error
    model: PreTrainedModel = loaded[0]
    if missing := sorted(loaded[1]["missing_keys"]):
        raise BackboneError(
            f"{settings.model}: its files lack {len(missing)} weights, among them {missing[0]}, which would be random; "
            "name a causal language model with all its weights"
        )
    model.requires_grad_(False)
    model.train(False)
    if settings.weights == "full":
        nn.Module.to(model, device)
    return model


def _model_class(name: str, folder: Path) -> type[PreTrainedModel]:
    """The class that transformers has for a causal language model of this config."""
    try:
        config = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise BackboneError(loading_advice(name, error)) from error
    known: Any = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    made_for = getattr(config, "architectures", None) or ([known.__name__] if known else [config.model_type])
    if known is None or known.__name__.lower() not in {each.lower() for each in made_for}:
        raise BackboneError(
            f"{name}: {', '.join(made_for)} is no causal language model, which reads from left to right and goes on; "
            "name one, such as those in conf/backbone/"
        )
    found: type[PreTrainedModel] = known
    return found


def _check_attention(settings: LLMSettings, model: type[PreTrainedModel], device: str) -> None:
    """Refuse an attention whose kernel isn't installed, or which the model's class or the device doesn't have."""
    attention, advice = settings.attention, "set sdpa or eager"
    if attention == "sdpa" and not model._supports_sdpa:
        raise BackboneError(f"backbone.llm.attention: {model.__name__} has no sdpa; set eager")
    if (kernel := _KERNELS.get(attention)) is None:
        return
    if find_spec(kernel) is None:
        raise BackboneError(f"backbone.llm.attention: {attention} needs {kernel}, which is not installed; {advice}")
    if not model._supports_flash_attn:
        raise BackboneError(f"backbone.llm.attention: {model.__name__} has no {attention}; {advice}")
    if torch.device(device).type != "cuda" or settings.dtype not in ("bfloat16", "float16"):
        raise BackboneError(
            f"backbone.llm.attention: {attention} needs a CUDA card and bfloat16 or float16, found {device} and "
            f"{settings.dtype}; {advice}"
        )


def _quantized(settings: LLMSettings, dtype: torch.dtype, device: str) -> dict[str, Any]:
    """How transformers is told to quantize on loading."""
    if not all(find_spec(library) for library in ("bitsandbytes", "accelerate")):
        raise BackboneError(
            f"backbone.llm.weights: {settings.weights} needs bitsandbytes and accelerate, which are not installed; run "
            "`pip install 'gemel[quantized]'`, or set weights: full"
        )
    bits = (
        {"load_in_8bit": True} if settings.weights == "8bit" else {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    )
    config = BitsAndBytesConfig(**bits, bnb_4bit_compute_dtype=dtype)  # type: ignore[no-untyped-call]
    return {"quantization_config": config, "device_map": {"": device}}
