"""What every adapter between the vision encoder and the LLM has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gemel.core.errors import ShapeError


class Adapter(nn.Module, ABC):
    """The trained part: image vectors in, soft tokens out.

    A subclass in a module of its own under `mapper/adapters/` is an adapter; the module's name is its name in the
    settings. It declares every parameter that it trains.
    """

    def __init__(self, vision_dim: int, llm_dim: int, prefix_tokens: int) -> None:
        super().__init__()
        self.vision_dim, self.llm_dim, self.prefix_tokens = vision_dim, llm_dim, prefix_tokens

    @property
    @abstractmethod
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of each parameter that is trained, saved and loaded."""

    @property
    @abstractmethod
    def output(self) -> nn.Linear:
        """The last layer, (…) -> prefix_tokens * llm_dim, with a bias."""

    @abstractmethod
    def translate(self, images: Tensor) -> Tensor:
        """Image vectors (batch, vision_dim) -> (batch, prefix_tokens * llm_dim)."""

    def forward(self, images: Tensor) -> Tensor:
        """Turn image vectors into soft tokens that the LLM can read.

        images: vision vectors, (batch, vision_dim), float32.
        Returns: soft tokens, (batch, prefix_tokens, llm_dim), in the adapter's dtype.
        Raises: ShapeError if the last axis is not vision_dim.
        """
        if images.shape[-1] != self.vision_dim:
            raise ShapeError(
                f"image vectors of width {images.shape[-1]}, but the mapper takes {self.vision_dim}; "
                "it was trained on another vision encoder: run `dvc repro mapper`"
            )
        soft = self.translate(images.to(self.output.weight.dtype))
        return soft.view(*images.shape[:-1], self.prefix_tokens, self.llm_dim)

    @torch.no_grad()
    def match_scale(self, images: Tensor, embeddings: Tensor) -> None:
        """Scale the fresh last layer so that soft tokens of typical images are as large as the LLM's own embeddings.

        images: some vision vectors, (n, vision_dim). embeddings: the LLM's input embeddings, (vocabulary, llm_dim).
        What all images have in common is taken off by the bias, so that soft tokens differ as much as words do.
        """
        self.output.bias.zero_()
        soft = self(images).flatten(1)
        common = soft.mean(dim=0)
        # Where images hardly differ, their size itself is the measure.
        size = (soft - common).square().mean().sqrt().clamp_min(1e-3 * soft.square().mean().sqrt()).clamp_min(1e-12)
        scale = embeddings.float().square().mean().sqrt() / size
        self.output.weight.mul_(scale)
        self.output.bias.copy_(-common * scale)
