"""What a family of vision encoders gives: a tower from pixels to pooled vectors, and the preprocessing it wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor, nn

from gemel.core.errors import BackboneError

Vectors = npt.NDArray[np.float32]
Preprocess = Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class Tower:
    """module: pixels (images, 3, height, width) -> vectors (images, width). preprocess: RGB image -> pixels."""

    module: nn.Module
    width: int
    preprocess: Preprocess


def no_weights_named(model: str) -> BackboneError:
    """The refusal to go on with random weights."""
    return BackboneError(f"{model}: no weights named; set backbone.vision.pretrained to a tag or a checkpoint file")
