"""Mappers that the published code trained: its pickled state dict becomes a folder that the stage `mapper` can take.

mapper.safetensors       the weights, float32
manifest.json            the source file's name, SHA-256 and dtype, and the widths

The file is read by torch's weights-only unpickler, which makes tensors and plain containers and runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from gemel.core.artifacts import MANIFEST, file_sha256, new_artifact, read_manifest
from gemel.core.errors import DataError, ShapeError
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.adapters.linear import LinearMapper
from gemel.mapper.mapper import WEIGHTS, load_mapper, save_mapper

STAGE = "import checkpoint"
ADVICE = "run `gemel import checkpoint` again"
LONGEST_REASON = 200


@dataclass(frozen=True)
class CheckpointFacts:
    """Where an imported mapper comes from, and its widths. dtype: of the source file's weights."""

    source: str
    sha256: str
    dtype: str
    vision_dim: int
    prefix_tokens: int
    llm_dim: int


def import_checkpoint(source: Path, target: Path, prefix_tokens: int) -> CheckpointFacts:
    """Write a published mapper as a folder, whole or not at all.

    source: `torch.save(linear.state_dict())` of a Linear(vision_dim, prefix_tokens * llm_dim).
    target: the folder; an earlier import there is replaced. prefix_tokens: soft tokens per image; the file does not say
    how many.
    Raises: DataError if the file holds anything else, the target is something else than an imported checkpoint, or it
    can't be written.
    """
    if target.exists() and not _may_be_replaced(target):
        raise DataError(f"{target}: exists and is no imported checkpoint; move it away, or import into another folder")
    weight, bias = _read_linear(source)
    rows, vision_dim = weight.shape
    if prefix_tokens < 1 or rows % prefix_tokens:
        raise DataError(
            f"{source}: its {rows} rows are not {prefix_tokens} soft tokens of one width; give --prefix-tokens as the "
            "file was trained (its name says so: linear_4token)"
        )
    mapper = LinearMapper(vision_dim, rows // prefix_tokens, prefix_tokens)
    mapper.linear.load_state_dict({"weight": weight.float(), "bias": bias.float()})
    dtype = str(weight.dtype).removeprefix("torch.")
    facts = CheckpointFacts(source.name, file_sha256(source), dtype, vision_dim, prefix_tokens, mapper.llm_dim)
    try:
        with new_artifact(target, STAGE, asdict(facts)) as draft:
            save_mapper(mapper, draft / WEIGHTS)
    except OSError as error:
        raise DataError(f"{target}: the checkpoint could not be written ({error})") from error
    return facts


def read_checkpoint(
    folder: Path, *, vision_dim: int, llm_dim: int, prefix_tokens: int
) -> tuple[Adapter, CheckpointFacts]:
    """Open an imported checkpoint for the frozen models in use, after checking it against its hashes.

    Raises: ArtifactError if it is absent or damaged; ShapeError if it was trained for other widths.
    """
    facts = CheckpointFacts(**read_manifest(folder, STAGE, check_hashes=True, advice=ADVICE))
    found, wanted = (facts.vision_dim, facts.prefix_tokens, facts.llm_dim), (vision_dim, prefix_tokens, llm_dim)
    if found != wanted:
        raise ShapeError(
            f"{folder}: a mapper {_widths(*found)}, but the settings need {_widths(*wanted)}; choose the backbone and "
            "mapper.prefix_tokens that it was trained with, or set mapper.checkpoint: null to train"
        )
    return load_mapper(folder / WEIGHTS, vision_dim=vision_dim, llm_dim=llm_dim), facts


def _read_linear(source: Path) -> tuple[Tensor, Tensor]:
    """Weight (rows, vision_dim) and bias (rows,) of the state dict in a file, as it has them."""
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"{source}: can't be read ({error.strerror or error}); check the path") from error
    except Exception as error:  # a file made by anyone can break the unpickler in any way
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST_REASON]}"
        raise DataError(
            f"{source}: not a file of weights alone, nothing in it was run ({why}); expected "
            "torch.save(linear.state_dict()); get the published file again"
        ) from error
    if not isinstance(content, Mapping) or set(content) != {"weight", "bias"}:
        found = sorted(map(str, content))[:8] if isinstance(content, Mapping) else type(content).__name__
        raise DataError(f"{source}: expected a state dict of weight and bias alone, found {found}")
    weight, bias = (_dense(source, name, content[name]) for name in ("weight", "bias"))
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or not weight.numel():
        shapes = f"{tuple(weight.shape)} and {tuple(bias.shape)}"
        raise DataError(f"{source}: expected weight (rows, vision_dim) and bias (rows,), found {shapes}")
    if broken := sum(int((~tensor.isfinite()).sum()) for tensor in (weight, bias)):
        raise DataError(f"{source}: {broken} of its numbers are infinite or NaN; get the published file again")
    return weight, bias


def _dense(source: Path, name: str, value: object) -> Tensor:
    # A tensor that repeats its storage may claim a size that no memory holds: hence contiguous.
    if (
        isinstance(value, Tensor)
        and (value.layout, value.device.type) == (torch.strided, "cpu")
        and value.is_floating_point()
        and value.is_contiguous()
    ):
        return value
    found = f"a tensor of {value.dtype}, {value.layout}" if isinstance(value, Tensor) else type(value).__name__
    raise DataError(f"{source}: {name}: expected a contiguous tensor of floating-point numbers, found {found}")


def _may_be_replaced(target: Path) -> bool:
    """Whether a folder is empty or an imported checkpoint, be it damaged."""
    if target.is_dir() and not any(target.iterdir()):
        return True
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("stage") == STAGE


def _widths(vision_dim: int, prefix_tokens: int, llm_dim: int) -> str:
    return f"{vision_dim} -> {prefix_tokens} x {llm_dim}"
