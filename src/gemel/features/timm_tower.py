"""Image models of timm without their classifier: ResNets, BEiT and whatever else pools an image into one vector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import create_transform, resolve_data_config
from timm.models import load_state_dict
from torch import nn

from gemel.core.errors import BackboneError
from gemel.features.tower import Tower, no_weights_named

CHECKPOINTS = (".safetensors", ".pth", ".pt", ".bin")


def load_timm(model: str, pretrained: str | None) -> Tower:
    """Load a model and take its classifier off.

    model: "timm:" and a timm name ("timm:resnet101"); with a checkpoint file, a tag behind the name
    ("timm:resnet101.a1_in1k") says whose preprocessing is meant. pretrained: a tag of timm's ("a1_in1k"), or a
    checkpoint file, with or without a classifier of any size.
    Raises: BackboneError if no weights are named, the file isn't there, or it gives no pooled vector; what timm and
    torch raise if the weights can't be had or are not this model's.
    """
    name = model.removeprefix("timm:")
    if pretrained is None:
        raise no_weights_named(model)
    if Path(pretrained).suffix in CHECKPOINTS:
        module = _from_file(name, Path(pretrained), model)
    else:
        module = timm.create_model(f"{name}.{pretrained}", pretrained=True)
    module.reset_classifier(0)
    config = resolve_data_config({}, model=module)
    preprocess = create_transform(**config, is_training=False)
    return Tower(module, _width(module.eval(), config["input_size"], model), preprocess)


def _from_file(name: str, file: Path, model: str) -> Any:
    if not file.is_file():
        raise BackboneError(f"{model}: no such checkpoint file {file}; correct backbone.vision.pretrained")
    classifier = timm.get_pretrained_cfg(name).classifier
    heads = (classifier,) if isinstance(classifier, str) else classifier or ()
    weights = load_state_dict(str(file), weights_only=True)
    classes = next((len(weights[f"{head}.weight"]) for head in heads if f"{head}.weight" in weights), 0)
    # With the file's own number of classes timm loads strictly. With another it would leave what the file lacks random.
    overlay = {"file": str(file), "num_classes": classes, "label_offset": 0, "custom_load": False}
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes)


@torch.inference_mode()
def _width(module: nn.Module, input_size: tuple[int, int, int], model: str) -> int:
    vectors = module(torch.zeros(1, *input_size))
    if vectors.ndim != 2:
        raise BackboneError(f"{model}: gives {tuple(vectors.shape)} for one image, not one pooled vector")
    return int(vectors.shape[1])
