"""The recipe of `tiny-resnet` and `tiny-beit`: image models of timm, trained to name the kind of a drawn picture.

They play the parts of ResNet-101 and BEiT-large, which learned from labels, beside `tiny-clip`, which learned from
captions. Colour, place and light vary and are never asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import save_for_hf
from torch import nn
from torch.nn.functional import cross_entropy

from sample.pictures import KINDS, SIZE
from sample.tiny_clip import MEAN, STD, batches, fit, kind_accuracy, kinds_of

SEED = 66_001
# What timm would otherwise state of its own weights: preprocessing and origin.
FACTS = {
    "input_size": (3, SIZE, SIZE),
    "mean": MEAN,
    "std": STD,
    "crop_pct": 1.0,
    "num_classes": len(KINDS),
    "pool_size": None,
    "test_input_size": None,
    "test_crop_pct": None,
    "tag": None,
    "license": "apache-2.0",
    "origin_url": None,
    "paper_ids": None,
}


@dataclass(frozen=True)
class Classifier:
    """architecture: timm's name of it. shape: what makes it tiny. steps: of training."""

    architecture: str
    shape: Mapping[str, Any]
    steps: int


MEMBERS = {
    "tiny-resnet": Classifier("resnet18", {"layers": (1, 1, 1, 1), "channels": (24, 48, 96, 192)}, steps=400),
    "tiny-beit": Classifier(
        "beit_base_patch16_224",
        {"depth": 4, "embed_dim": 128, "num_heads": 4, "patch_size": 8},
        steps=1_000,
    ),
}


def train(name: str, member: Classifier) -> nn.Module:
    """Train from scratch, each step on every kind in a few settings."""
    torch.manual_seed(SEED)
    model = timm.create_model(member.architecture, pretrained_cfg_overlay=FACTS, **member.shape)
    drawn = batches(member.steps, SEED)
    fit(name, model, drawn, member.steps, lambda images, captions: cross_entropy(model(images), kinds_of(captions)))
    return model.eval()


def make(name: str, folder: Path) -> None:
    """Train and write a member in timm's folder layout, its weights in half precision."""
    model = train(name, MEMBERS[name]).half()
    save_for_hf(model, str(folder), safe_serialization=True)
    (folder / "model.safetensors").chmod(0o644)
    model.float().reset_classifier(0)
    print(f"{name} reads the kind of {kind_accuracy(model, SEED):.1%} of new pictures (linear probe)")
