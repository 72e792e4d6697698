"""The frozen vision encoder: images -> pooled vectors, before any projection or classifier."""

from __future__ import annotations

import hashlib
import pickle
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn

from gemel.core.errors import BackboneError
from gemel.core.images import PREPROCESSING
from gemel.features.tower import Preprocess, Tower, Vectors


# Their libraries take seconds to import, and who reads vectors that are there needs neither.
def _load_open_clip(model: str, pretrained: str | None) -> Tower:
    from gemel.features.open_clip_tower import load_open_clip

    return load_open_clip(model, pretrained)


def _load_timm(model: str, pretrained: str | None) -> Tower:
    from gemel.features.timm_tower import load_timm

    return load_timm(model, pretrained)


# What stands before the colon of a model's name. Any other name, with a colon or without, is open_clip's.
FAMILIES: dict[str, Callable[[str, str | None], Tower]] = {"timm": _load_timm}
# What timm, open_clip, safetensors and torch.load raise for a wrong name, no network, and foreign or damaged weights.
_LOAD_ERRORS = (OSError, RuntimeError, ValueError, LookupError, EOFError, SafetensorError, pickle.UnpicklingError)


@dataclass(frozen=True)
class VisionEncoder:
    """A frozen image tower with its preprocessing.

    name: what it was loaded as; it goes into manifests. width: length of its vectors.
    """

    name: str
    width: int
    tower: nn.Module
    preprocess: Preprocess

    @property
    def parameters(self) -> int:
        """Number of its weights, all of them frozen."""
        return sum(parameter.numel() for parameter in self.tower.parameters())

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return next(self.tower.parameters()).device

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, as hex digits, over all that a vector follows from beside the image.

        That is the name, the weights (at one path they may change), the preprocessing in words, and the version of the
        decoder's rules.
        """
        digest = hashlib.sha256(f"{self.name}\n{self.preprocess!r}\n{PREPROCESSING}\n".encode())
        for key, values in sorted(self.tower.state_dict().items()):
            digest.update(f"{key} {values.dtype} {tuple(values.shape)}\n".encode())
            # Seen as bytes: numpy has no bfloat16.
            digest.update(values.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def encode(self, images: Sequence[Image.Image]) -> Vectors:
        """Encode RGB images. Returns: (images, width), float32."""
        if not images:
            return np.zeros((0, self.width), dtype=np.float32)
        return self.encode_pixels(torch.stack([self.preprocess(image) for image in images]))

    @torch.inference_mode()
    def encode_pixels(self, pixels: Tensor) -> Vectors:
        """Encode preprocessed images.

        pixels: (images, 3, height, width), on any device. Returns: (images, width), float32.
        """
        weight = next(self.tower.parameters())
        vectors: Vectors = self.tower(pixels.to(weight, non_blocking=True)).float().cpu().numpy()
        return vectors


def load_encoder(model: str, pretrained: str | None = None, device: str = "cpu") -> VisionEncoder:
    """Load a vision encoder; never with random weights.

    model: "timm:" and a timm name or "local-dir:…", or what open_clip knows: a name, "hf-hub:…" or "local-dir:…".
    pretrained: a tag or a checkpoint file; None where the model brings its own weights.
    Raises: BackboneError if it can't be had, or gives no pooled vector.
    """
    load = FAMILIES.get(model.partition(":")[0], _load_open_clip)
    try:
        tower = load(model, pretrained)
    except _LOAD_ERRORS as error:
        # Of weights that don't fit, torch names every one.
        why = textwrap.shorten(str(error), 300, placeholder=" …")
        raise BackboneError(f"{model}: can't be loaded ({why}); check the name, the tag and the network") from error
    tower.module.requires_grad_(False)
    name = model if pretrained is None else f"{model}/{pretrained}"
    return VisionEncoder(name, tower.width, tower.module.eval().to(device), tower.preprocess)
