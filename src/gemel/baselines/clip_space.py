"""The space that an open_clip model has for pictures and strings, entered from vectors that are there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor

from gemel.core.errors import BackboneError
from gemel.core.settings import VisionSettings
from gemel.features.encoder import FAMILIES
from gemel.features.tower import Vectors

TEXTS_AT_ONCE = 256


class NoTextTowerError(BackboneError):
    """A vision encoder can't read strings, so that there is nothing to compare its pictures with."""


class ClipSpace:
    """Puts image vectors and strings into one space, as unit vectors whose inner product is the cosine.

    The image vectors are those of the feature store, before the projection; no image is encoded again.
    """

    def __init__(self, clip: Any, tokenizer: Any, device: str = "cpu") -> None:
        """clip: an open_clip model. tokenizer: its own, strings -> token ids (strings, context length)."""
        self._clip, self._tokenizer = clip.requires_grad_(False).eval().to(device), tokenizer
        self._vocabulary = int(clip.token_embedding.num_embeddings)

    @property
    def vision_width(self) -> int:
        """Width of an image vector before the projection."""
        return int(self._clip.visual.proj.shape[0])

    @torch.inference_mode()
    def project(self, vectors: Vectors) -> Vectors:
        """Image vectors (images, vision_width) -> (images, width), float32."""
        projection: Tensor = self._clip.visual.proj
        return _unit(torch.from_numpy(vectors).to(projection) @ projection)

    @torch.inference_mode()
    def read(self, texts: Sequence[str]) -> Vectors:
        """Strings -> (strings, width), float32. Those of equal tokens are read once.

        Raises: NoTextTowerError if the tokenizer is another model's.
        """
        ids = torch.cat([self._tokenizer(list(texts[at : at + 10_000])) for at in range(0, len(texts), 10_000)])
        if int(ids.max()) >= self._vocabulary:
            raise NoTextTowerError(
                f"the text tower has {self._vocabulary} tokens, its tokenizer gives token {int(ids.max())}; put the "
                "model's tokenizer into its folder, and text_cfg.hf_tokenizer_name into its open_clip_config.json"
            )
        distinct, places = torch.unique(ids, dim=0, return_inverse=True)
        device = self._clip.token_embedding.weight.device
        read = [_unit(self._clip.encode_text(part.to(device))) for part in distinct.split(TEXTS_AT_ONCE)]
        found: Vectors = np.concatenate(read)[places.numpy()]
        return found


def load_clip_space(vision: VisionSettings, device: str = "cpu") -> ClipSpace:
    """Load the text tower and the projection of the vision encoder in use.

    Raises: NoTextTowerError if the encoder is not open_clip's, or its text tower has another form than CLIP's.
    BackboneError if it can't be loaded.
    """
    family = vision.model.partition(":")[0]
    if family in FAMILIES:
        raise NoTextTowerError(f"{vision.model}: encoders of {family} have no text tower; choose one of open_clip")
    try:
        clip, _ = open_clip.create_model_from_pretrained(vision.model, pretrained=vision.pretrained, device="cpu")
        tokenizer = open_clip.get_tokenizer(vision.model)
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        reason = str(error).splitlines()[0]
        raise BackboneError(f"{vision.model}: can't be loaded ({reason}); check the folder and the network") from error
    if not hasattr(clip, "token_embedding") or getattr(clip.visual, "proj", None) is None:
        raise NoTextTowerError(f"{vision.model}: no text tower and projection of CLIP's form; choose another encoder")
    return ClipSpace(clip, tokenizer, device)


def _unit(vectors: Tensor) -> Vectors:
    found: Vectors = torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
    return found
