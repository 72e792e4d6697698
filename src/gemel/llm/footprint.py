"""How much memory a model takes, from its config alone: it is laid out on torch's meta device, without weights.

Activations that training saves are estimated, for dense models. With frozen weights autograd keeps what enters a
non-linearity or attention, not what enters a matrix: queries, keys, values and the attention's output, and both factors
of a gated MLP with its activation. Each matrix of a layer stands for one of these, as wide as its longer side; each
norm keeps its input once more, as float32. Against what autograd keeps on the CPU this is 3 % off for Llama, 6 % for
Qwen 3; with plain MLPs it is 30 % too little (GPT-2) to 50 % too much (OPT). `tests/llm/test_footprint.py` measures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from gemel.core.errors import BackboneError
from gemel.core.settings import LLMSettings, Weights
from gemel.llm.model_files import loading_advice

GIB = 2**30
# Beyond the larger one, matrix products don't get faster any more.
FEW_TOKENS, MANY_TOKENS = 1_024, 16_384
# nf4: half a byte, and a float32 scale for each block of 64.
_BYTES_OF_QUANTIZED = {"8bit": 1.0, "4bit": 0.5 + 4 / 64}
_FLOAT32 = 4


@dataclass(frozen=True)
class Footprint:
    """What a model takes, in a dtype of so many bytes.

    parameters: all. in_layers: those of the layers' matrices, which quantization makes smaller. layers, hidden: their
    number and width. key_values: keys and values of a position, all layers. matrix_sides: the longer sides of a layer's
    matrices, summed. norms: of a layer.
    """

    parameters: int
    in_layers: int
    layers: int
    hidden: int
    key_values: int
    matrix_sides: int
    norms: int
    item_bytes: int

    def weight_bytes(self, weights: Weights = "full") -> int:
        """Bytes of the weights, in the dtype or quantized by bitsandbytes."""
        of_layers = self.in_layers * _BYTES_OF_QUANTIZED.get(weights, self.item_bytes)
        return int((self.parameters - self.in_layers) * self.item_bytes + of_layers)

    @property
    def cache_bytes(self) -> int:
        """Bytes of keys and values per position."""
        return self.key_values * self.item_bytes

    def saved_bytes(self, checkpointing: bool = False) -> int:
        """Bytes per position that training saves for the way back.

        checkpointing: keep only what enters each layer, and one layer's activations at a time.
        """
        one = self.matrix_sides * self.item_bytes + self.norms * self.hidden * _FLOAT32
        return self.layers * self.hidden * self.item_bytes + one if checkpointing else self.layers * one


def torch_dtype(name: str) -> torch.dtype:
    """The dtype of that name.

    Raises: BackboneError if torch has none, or weights can't be of it.
    """
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point or dtype.itemsize < 2:
        raise BackboneError(f"backbone.llm.dtype: no such dtype {name!r}; known are float32, bfloat16 and float16")
    return dtype


def measure(folder: Path, dtype: str) -> Footprint:
    """Lay a model out without its weights, in a second or so.

    folder: of its config.json. dtype: a torch dtype by name.
    Raises: BackboneError if there is no such dtype, or the config can't be read or is of no causal language model.
    """
    item_bytes = torch_dtype(dtype).itemsize
    try:
        config = AutoConfig.from_pretrained(folder)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise BackboneError(loading_advice(str(folder), error)) from error
    return footprint_of(model, item_bytes)


def footprint_of(model: PreTrainedModel, item_bytes: int) -> Footprint:
    """What a model takes in a dtype of so many bytes; it may lie on the meta device.

    Raises: BackboneError if it has no layers of attention.
    """
    text = model.config.get_text_config()
    count, heads = getattr(text, "num_hidden_layers", 0), getattr(text, "num_attention_heads", 0)
    layers = next((each for each in model.modules() if isinstance(each, nn.ModuleList) and len(each) == count), None)
    if not layers or not heads:
        raise BackboneError(f"{text.model_type} has no layers of attention; choose an LLM that has")
    matrices = [parameter for parameter in layers.parameters() if parameter.ndim > 1]
    of_one = [parameter for parameter in layers[0].parameters() if parameter.ndim > 1]
    head_width = getattr(text, "head_dim", None) or text.hidden_size // heads
    return Footprint(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        in_layers=sum(parameter.numel() for parameter in matrices),
        layers=count,
        hidden=text.hidden_size,
        key_values=2 * count * head_width * (getattr(text, "num_key_value_heads", None) or heads),
        matrix_sides=sum(max(parameter.shape[-2:]) for parameter in of_one),
        norms=sum("norm" in type(each).__name__.lower() for each in layers[0].modules()),
        item_bytes=item_bytes,
    )


def free_bytes(device: str) -> int:
    """Memory that a torch device has left: of the card, or of this machine."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    return int(psutil.virtual_memory().available)


def tokens_at_once(model: PreTrainedModel, device: str, checkpointing: bool, free: int | None = None) -> int:
    """Positions that a training pass may read together: as many as four fifths of the free memory of a card hold.

    On a CPU few: what is more than its caches hold makes passes slower, not faster. free: bytes; None asks the device.
    """
    if torch.device(device).type != "cuda":
        return FEW_TOKENS
    free = free_bytes(device) if free is None else free
    per_token = footprint_of(model, model.dtype.itemsize).saved_bytes(checkpointing)
    return min(MANY_TOKENS, max(FEW_TOKENS, int(0.8 * free) // per_token))


def check_fits(settings: LLMSettings, folder: Path, device: str, free: int | None = None) -> None:
    """Refuse a model whose weights are larger than what is free, before any of them is read.

    folder: of its config.json. free: bytes; None asks the device.
    Raises: BackboneError, with the settings that would fit.
    """
    free = free_bytes(device) if free is None else free
    needed = measure(folder, settings.dtype).weight_bytes(settings.weights)
    if needed <= free:
        return
    smaller = [f"{what} ({size / GIB:.1f} GiB)" for what, size in _smaller(settings, folder) if size <= free]
    raise BackboneError(
        f"{settings.model}: its weights need {needed / GIB:.1f} GiB in {settings.dtype} (weights: {settings.weights}), "
        f"{device} has {free / GIB:.1f} GiB free; "
        + (f"what would fit under backbone.llm: {', '.join(smaller)}; or " if smaller else "")
        + "choose a smaller model with `-S backbone=…`"
    )


def _smaller(settings: LLMSettings, folder: Path) -> list[tuple[str, int]]:
    """Settings that take less, and the bytes of the weights under each."""
    half = measure(folder, "bfloat16")
    options: dict[str, Weights] = {"dtype: bfloat16": "full", "weights: 8bit": "8bit", "weights: 4bit": "4bit"}
    sizes = [(what, half.weight_bytes(weights)) for what, weights in options.items()]
    now = measure(folder, settings.dtype).weight_bytes(settings.weights)
    return [(what, size) for what, size in sizes if size < now]
