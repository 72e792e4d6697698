"""The settings: one dataclass for each section of params.yaml, and what a linker keeps of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

Method = Literal["random", "bm25", "dense"]
Weights = Literal["full", "8bit", "4bit"]
Attention = Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3"]
MissingImage = Literal["leave_out", "zero_vector"]
MOST_DECODERS = 8
TOKENS_AT_ONCE = 16_384


@dataclass(frozen=True)
class LLMSettings:
    """The frozen LLM: folder or hub id, pinned revision, dtype, and whether a prompt starts with BOS.

    weights: "8bit" or "4bit" to quantize those of the linear layers on loading, by bitsandbytes. attention: which
    implementation, as transformers names it; where a search needs masks that it ignores, SDPA takes its place.
    """

    model: str
    revision: str | None = None
    dtype: str = "float32"
    leading_bos: bool = False
    weights: Weights = "full"
    attention: Attention = "sdpa"


@dataclass(frozen=True)
class VisionSettings:
    """The frozen vision encoder: open_clip's name, hub id or `local-dir:` folder, or a `timm:` name; tag or file."""

    model: str
    pretrained: str | None = None


@dataclass(frozen=True)
class BackboneSettings:
    """The frozen models.

    tracked: what DVC watches for a change of them: their folder, or the settings file that pins a hub revision.
    notice: said once by every linker that uses them.
    """

    llm: LLMSettings
    vision: VisionSettings
    tracked: str
    notice: str = ""


@dataclass(frozen=True)
class ImagesSettings:
    """root: of the archive that a data set's images lie in, a folder or an fsspec URL; None: in the data set's folder.

    A setting and no fact of a data set, so that data from elsewhere can't choose what is read.
    """

    root: str | None = None


@dataclass(frozen=True)
class DemonstrationSettings:
    """How demonstrations are chosen.

    method: of the linker. count: demonstrations per mention. compare: further methods, chosen for evaluation alone.
    seed: of `random`. encoder: sentence encoder of `dense`.
    """

    method: Method
    count: int
    encoder: str
    seed: int = 0
    compare: tuple[Method, ...] = ()

    @property
    def methods(self) -> tuple[Method, ...]:
        """The linker's method, then those to compare with it."""
        return (self.method, *(method for method in self.compare if method != self.method))


@dataclass(frozen=True)
class TrainingCourse:
    """How long and how fast to train.

    steps: optimizer steps at most. batch_size: examples per optimizer step; micro_batch_size: examples per forward
    pass, a divisor of it. check_every: optimizer steps between looks at dev; patience: looks without a gain before
    stopping. peak_rate, warmup_steps, weight_decay: AdamW's; clip_norm: of the gradient.
    """

    steps: int
    batch_size: int
    micro_batch_size: int
    peak_rate: float
    warmup_steps: int
    weight_decay: float
    clip_norm: float
    check_every: int
    patience: int

    def __post_init__(self) -> None:
        if self.micro_batch_size < 1 or self.batch_size % self.micro_batch_size:
            raise ValueError(f"micro_batch_size {self.micro_batch_size} does not divide batch_size {self.batch_size}")
        if self.check_every > self.steps:
            raise ValueError(f"check_every {self.check_every} is beyond the last of {self.steps} steps")


@dataclass(frozen=True)
class MapperSettings:
    """How the mapper is trained.

    seeds: one mapper each. prefix_tokens: soft tokens per image. missing_image: what stands for an image that isn't
    there. without_demonstrations: share of the training examples that show none.
    """

    seeds: tuple[int, ...]
    prefix_tokens: int
    missing_image: MissingImage
    course: TrainingCourse
    without_demonstrations: float = 0.0


@dataclass(frozen=True)
class EvaluationSettings:
    """num_beams: of the search. tail_at_most: entities trained on 1 to so many times are the tail."""

    num_beams: int
    tail_at_most: int


@dataclass(frozen=True)
class LinkerSettings:
    """Everything about a linker that is not in its files. missing_image: what stands for an image that isn't there."""

    backbone: BackboneSettings
    demonstrations: DemonstrationSettings
    num_beams: int = 5
    missing_image: MissingImage = "leave_out"


@dataclass(frozen=True)
class RuntimeSettings:
    """Settings that do not change a result, so no stage lists them in its DVC params.

    device: "auto", or a torch device. encoder_batch: images per forward pass of the vision encoder. workers: processes
    that decode images for it, 0 for none, "auto" for one a core; each may need a gigabyte for an image of 100
    megapixels. scale_out: "ray" to encode on a Ray cluster. queries_at_once: mentions that evaluation hands to the
    linker together; those with equal demonstrations share them. tokens_at_once: positions of the LLM's cache in use
    together, each with the keys and values of all layers (half a megabyte with Llama-2-7B in 16 bit).
    """

    device: str = "auto"
    encoder_batch: int = 64
    workers: int | Literal["auto"] = "auto"
    scale_out: Literal["none", "ray"] = "none"
    queries_at_once: int = 512
    tokens_at_once: int = TOKENS_AT_ONCE

    def __post_init__(self) -> None:
        if self.queries_at_once < 1 or self.tokens_at_once < 1:
            raise ValueError(
                f"queries_at_once {self.queries_at_once} or tokens_at_once {self.tokens_at_once} is below 1"
            )
        if self.encoder_batch < 1 or (self.workers != "auto" and self.workers < 0):
            raise ValueError(f"encoder_batch {self.encoder_batch} is below 1, or workers {self.workers} below 0")

    @property
    def torch_device(self) -> str:
        """The device to use: a CUDA card where "auto" finds one, else the CPU."""
        if self.device != "auto":
            return self.device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def decoders(self) -> int:
        """The processes to decode in: for "auto" one a core, but no more than feed a fast card."""
        return min(MOST_DECODERS, os.cpu_count() or 1) if self.workers == "auto" else self.workers
