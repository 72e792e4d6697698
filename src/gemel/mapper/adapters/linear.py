"""The published mapper: one linear layer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from gemel.mapper.adapters.base import Adapter


class LinearMapper(Adapter):
    """One linear layer, vision_dim -> prefix_tokens * llm_dim (Shi et al., LREC-COLING 2024)."""

    def __init__(self, vision_dim: int, llm_dim: int, prefix_tokens: int) -> None:
        super().__init__(vision_dim, llm_dim, prefix_tokens)
        self.linear = nn.Linear(vision_dim, prefix_tokens * llm_dim)

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        wide = self.prefix_tokens * self.llm_dim
        return {"linear.weight": (wide, self.vision_dim), "linear.bias": (wide,)}

    @property
    def output(self) -> nn.Linear:
        return self.linear

    def translate(self, images: Tensor) -> Tensor:
        wide: Tensor = self.output(images)
        return wide
