"""The frozen vision encoder: images -> pooled vectors before the projection into the text space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn

from gemel.core.errors import BackboneError

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VisionEncoder:
    """The image tower of an open_clip model.

    name: what it was loaded as; it goes into manifests. width: length of its vectors.
    """

    name: str
    width: int
    tower: nn.Module
    preprocess: Callable[[Image.Image], Tensor]

    @property
    def parameters(self) -> int:
        """Number of its weights, all of them frozen."""
        return sum(parameter.numel() for parameter in self.tower.parameters())

    @torch.inference_mode()
    def encode(self, images: Sequence[Image.Image]) -> Vectors:
        """Encode RGB images. Returns: (images, width), float32."""
        if not images:
            return np.zeros((0, self.width), dtype=np.float32)
        weight = next(self.tower.parameters())
        pixels = torch.stack([self.preprocess(image) for image in images]).to(weight)
        vectors: Vectors = self.tower(pixels).float().cpu().numpy()
        return vectors


def load_encoder(model: str, pretrained: str | None = None, device: str = "cpu") -> VisionEncoder:
    """Load an open_clip vision transformer and take its projection off.

    model: an open_clip name ("ViT-L-14"), "hf-hub:…" or "local-dir:…". pretrained: a tag ("openai") or a checkpoint
    file; None with a folder or hub id, which bring their own weights.
    Raises: BackboneError if it can't be had, or its tower has no projection to take off.
    """
    if pretrained is None and ":" not in model:
        raise BackboneError(f"{model}: no weights named; set backbone.vision.pretrained to a tag or a checkpoint file")
    if model.startswith("local-dir:") and not Path(model.removeprefix("local-dir:")).is_dir():
        raise BackboneError(f"{model}: no such folder; run `dvc pull`, or choose another encoder in conf/backbone/")
    try:
        clip, preprocess = open_clip.create_model_from_pretrained(model, pretrained=pretrained, device=device)
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise BackboneError(f"{model}: can't be loaded ({error}); check the name, the tag and the network") from error
    tower = clip.visual
    if getattr(tower, "proj", None) is None:
        raise BackboneError(f"{model}: its image tower has no final projection, so there is no vector before it")
    width = int(tower.proj.shape[0])
    tower.proj = None
    tower.requires_grad_(False)
    name = model if pretrained is None else f"{model}/{pretrained}"
    return VisionEncoder(name, width, tower.eval(), preprocess)
