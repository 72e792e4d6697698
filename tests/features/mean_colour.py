"""An encoder that every process can load at once. Its module stands by itself: worker processes import it by name."""

import os
import signal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

DEADLY = (1, 2, 3)


class MeanColour(nn.Module):
    """A tower whose vector is an image's mean colour. seen: images of each batch it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3), requires_grad=False)
        self.seen: list[int] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen.append(len(pixels))
        return pixels.mean(dim=(2, 3)) * self.scale


def to_pixels(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255


def to_pixels_or_die(image: Image.Image) -> Tensor:
    """Kills its process at an image of the colour DEADLY."""
    if image.getpixel((0, 0)) == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return to_pixels(image)
