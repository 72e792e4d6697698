"""Image models of timm without their classifier: ResNets, BEiT and whatever else pools an image into one vector."""

from __future__ import annotations

import json
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
FOLDER = "local-dir:"
FOLDER_FILES = ("config.json", "model.safetensors")


def load_timm(model: str, pretrained: str | None) -> Tower:
    """Load a model and take its classifier off.

    model: "timm:" and a timm name ("timm:resnet101"); with a checkpoint file, a tag behind the name
    ("timm:resnet101.a1_in1k") says whose preprocessing is meant. Or "timm:local-dir:" and a folder with FOLDER_FILES,
    as timm saves for the hub. pretrained: a tag of timm's ("a1_in1k"), or a checkpoint file, with or without a
    classifier of any size; None with a folder, which brings its own weights.
    Raises: BackboneError if no weights are named or two, a file isn't there, the folder's config is of no model that
    timm knows, or there is no pooled vector; what timm and torch raise if the weights can't be had or are not this
    model's.
    """
    name = model.removeprefix("timm:")
    if name.startswith(FOLDER):
        module = _from_folder(name, pretrained, model)
    elif pretrained is None:
        raise no_weights_named(model)
    elif Path(pretrained).suffix in CHECKPOINTS:
        if not Path(pretrained).is_file():
            raise BackboneError(f"{model}: no such checkpoint file {pretrained}; correct backbone.vision.pretrained")
        module = _from_file(name, name, Path(pretrained))
    else:
        module = timm.create_model(f"{name}.{pretrained}", pretrained=True)
    module.reset_classifier(0)
    config = resolve_data_config({}, model=module)
    preprocess = create_transform(**config, is_training=False)
    return Tower(module, _width(module.eval(), config["input_size"], model), preprocess)


def _from_folder(name: str, pretrained: str | None, model: str) -> Any:
    folder = Path(name.removeprefix(FOLDER))
    if pretrained is not None:
        raise BackboneError(f"{model}: a folder brings its own weights; set backbone.vision.pretrained to null")
    if missing := [file for file in FOLDER_FILES if not (folder / file).is_file()]:
        raise BackboneError(
            f"{model}: no {' and no '.join(missing)} in {folder}; run `dvc pull`, or choose another encoder in "
            "conf/backbone/"
        )
    config, weights = (folder / file for file in FOLDER_FILES)
    architecture = json.loads(config.read_text(encoding="utf-8"))["architecture"]
    if not timm.is_model(architecture):
        raise BackboneError(f"{model}: {config} names the architecture {architecture!r}, which timm does not know")
    try:
        return _from_file(name, architecture, weights)
    except TypeError as error:
        raise BackboneError(f"{model}: {config} has model_args that {architecture} does not take ({error})") from error


def _from_file(name: str, architecture: str, file: Path) -> Any:
    """name: what timm makes the model by, its folder or the architecture itself."""
    classifier = timm.get_pretrained_cfg(architecture).classifier
    heads = (classifier,) if isinstance(classifier, str) else classifier or ()
    weights = load_state_dict(str(file), weights_only=True)
    classes = next((len(weights[f"{head}.weight"]) for head in heads if f"{head}.weight" in weights), 0)
    # With the file's own number of classes timm loads strictly. With another it would leave what the file lacks random.
    overlay = {"source": None, "file": str(file), "num_classes": classes, "label_offset": 0, "custom_load": False}
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes)


@torch.inference_mode()
def _width(module: nn.Module, input_size: tuple[int, int, int], model: str) -> int:
    vectors = module(torch.zeros(1, *input_size))
    if vectors.ndim != 2:
        raise BackboneError(f"{model}: gives {tuple(vectors.shape)} for one image, not one pooled vector")
    return int(vectors.shape[1])
