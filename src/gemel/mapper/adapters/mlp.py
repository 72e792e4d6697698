"""Two linear layers with a GELU between them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import gelu

from gemel.mapper.adapters.base import Adapter


class MLPMapper(Adapter):
    """vision_dim -> llm_dim -> prefix_tokens * llm_dim, as LLaVA-1.5 (Liu et al., CVPR 2024) bridges its encoder."""

    def __init__(self, vision_dim: int, llm_dim: int, prefix_tokens: int) -> None:
        super().__init__(vision_dim, llm_dim, prefix_tokens)
        self.first = nn.Linear(vision_dim, llm_dim)
        self.second = nn.Linear(llm_dim, prefix_tokens * llm_dim)

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        wide = self.prefix_tokens * self.llm_dim
        return {
            "first.weight": (self.llm_dim, self.vision_dim),
            "first.bias": (self.llm_dim,),
            "second.weight": (wide, self.llm_dim),
            "second.bias": (wide,),
        }

    @property
    def output(self) -> nn.Linear:
        return self.second

    def translate(self, images: Tensor) -> Tensor:
        wide: Tensor = self.output(gelu(self.first(images)))
        return wide
