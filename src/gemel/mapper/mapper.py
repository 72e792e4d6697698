"""The linear mapper: the only trained weights of gemel."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gemel.core.errors import ArtifactError, ShapeError

WEIGHTS = "mapper.safetensors"


class LinearMapper(nn.Module):
    """One linear layer, vision_dim -> prefix_tokens * llm_dim (Shi et al., LREC-COLING 2024)."""

    def __init__(self, vision_dim: int, llm_dim: int, prefix_tokens: int) -> None:
        super().__init__()
        self.vision_dim, self.llm_dim, self.prefix_tokens = vision_dim, llm_dim, prefix_tokens
        self.linear = nn.Linear(vision_dim, prefix_tokens * llm_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Turn image vectors into soft tokens that the LLM can read.

        images: vision vectors, (batch, vision_dim), float32.
        Returns: soft tokens, (batch, prefix_tokens, llm_dim).
        Raises: ShapeError if the last axis is not vision_dim.
        """
        if images.shape[-1] != self.vision_dim:
            raise ShapeError(
                f"image vectors of width {images.shape[-1]}, but the mapper takes {self.vision_dim}; "
                "it was trained on another vision encoder: run `dvc repro mapper`"
            )
        soft: Tensor = self.linear(images)
        return soft.view(*images.shape[:-1], self.prefix_tokens, self.llm_dim)

    @torch.no_grad()
    def match_scale(self, images: Tensor, embeddings: Tensor) -> None:
        """Scale the fresh weights so that soft tokens of typical images are as large as the LLM's own embeddings.

        images: some vision vectors, (n, vision_dim). embeddings: the LLM's input embeddings, (vocabulary, llm_dim).
        What all images have in common is taken off by the bias, so that soft tokens differ as much as words do.
        """
        self.linear.bias.zero_()
        soft = self(images).flatten(1)
        common = soft.mean(dim=0)
        # Where images hardly differ, their size itself is the measure.
        size = (soft - common).square().mean().sqrt().clamp_min(1e-3 * soft.square().mean().sqrt()).clamp_min(1e-12)
        scale = embeddings.float().square().mean().sqrt() / size
        self.linear.weight.mul_(scale)
        self.linear.bias.copy_(-common * scale)


def save_mapper(mapper: LinearMapper, path: Path) -> None:
    """Write the mapper alone, as safetensors; the frozen models are named in the manifest beside it."""
    weights = {name: tensor.detach().float().contiguous() for name, tensor in mapper.state_dict().items()}
    save_file(weights, path, metadata={"prefix_tokens": str(mapper.prefix_tokens)})


def load_mapper(path: Path, *, vision_dim: int, llm_dim: int) -> LinearMapper:
    """Read a mapper for an encoder and an LLM of the given widths.

    Raises: ArtifactError if the file can't be read; ShapeError if it was trained for other widths.
    """
    try:
        with safe_open(path, framework="pt") as file:
            prefix_tokens = int(file.metadata()["prefix_tokens"])
            weights = {name: file.get_tensor(name) for name in ("linear.weight", "linear.bias")}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: not a readable mapper ({error}); run `dvc repro mapper`") from error
    found = tuple(weights["linear.weight"].shape)
    if found != (prefix_tokens * llm_dim, vision_dim):
        raise ShapeError(
            f"{path}: a mapper {found[1]} -> {prefix_tokens} x {found[0] // prefix_tokens}, but the frozen models need "
            f"{vision_dim} -> {prefix_tokens} x {llm_dim}; run `dvc repro mapper`"
        )
    mapper = LinearMapper(vision_dim, llm_dim, prefix_tokens)
    mapper.load_state_dict(weights)
    return mapper
