"""The settings: one dataclass for each section of params.yaml, and what a linker keeps of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

Method = Literal["random", "bm25", "dense"]
Weights = Literal["full", "8bit", "4bit"]
Attention = Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3"]
MissingImage = Literal["leave_out", "zero_vector"]
ShownNames = Literal["alone", "in_segment"]
ComparedBy = Literal["mention", "mention_and_text"]
Order = Literal["relevance", "reverse"]
Diversity = Literal["entity", "none", "one_each"]
GradedBy = Literal["id", "name"]
Rescore = Literal["none", "entity_images"]
BaselineName = Literal["exact_name", "prior", "bm25_names", "dense", "clip", "llm_alone", "without_trie"]
MOST_DECODERS = 8
SMALLEST_FLOAT16 = 2.0**-24
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
    """The frozen vision encoder: open_clip's name, hub id or `local-dir:` folder, or a `timm:` name or folder.

    pretrained: a tag or a checkpoint file; None where the model brings its own weights.
    """

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


def _expect_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: must be between 0 and 1, got {value}")


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
    query: what is compared, of the mention and of each solved one. image_weight: of the likeness of images when the
    best by text are ranked once more, 0 (not at all) to 1 (by images alone). order: "relevance", the most relevant last
    and next to the query, or "reverse". diversity: among equals an "entity" that was not shown yet goes first; "none":
    corpus order alone; "one_each": an entity is shown once at most.
    """

    method: Method
    count: int
    encoder: str
    seed: int = 0
    compare: tuple[Method, ...] = ()
    query: ComparedBy = "mention"
    image_weight: float = 0.0
    order: Order = "relevance"
    diversity: Diversity = "entity"

    def __post_init__(self) -> None:
        _expect_share("image_weight", self.image_weight)

    @property
    def methods(self) -> tuple[Method, ...]:
        """The linker's method, then those to compare with it."""
        return (self.method, *(method for method in self.compare if method != self.method))


@dataclass(frozen=True)
class TrieSettings:
    """aliases: whether the labels and aliases that lead to one entity alone are in the trie behind the names."""

    aliases: bool = False


@dataclass(frozen=True)
class PromptSettings:
    """How a prompt becomes token ids.

    names: of demonstrations: "alone", with the ids that a name has in targets and in the trie, or "in_segment", in one
    string with the demonstration's question and line break.
    """

    names: ShownNames = "alone"


@dataclass(frozen=True)
class TrainingCourse:
    """How long and how fast to train.

    steps: optimizer steps at most. batch_size: examples per optimizer step. check_every: optimizer steps between looks
    at dev, a divisor of steps; patience: looks without a gain before stopping; watched: dev mentions that are linked at
    each look, for the curves alone.
    peak_rate, weight_decay, epsilon: AdamW's; decay_bias: whether biases decay, too; clip_norm: of the gradient.
    warmup_steps: up to the peak rate; decay: from there to zero. initial_scale: "embeddings" to start with soft tokens
    of the size of words.
    counted_in, dtype: "examples" and "float16" are what the published code does; docs/method.md shows what follows.
    """

    steps: int
    batch_size: int
    peak_rate: float
    warmup_steps: int
    weight_decay: float
    clip_norm: float
    check_every: int
    patience: int
    watched: int = 64
    decay: Literal["cosine", "linear"] = "cosine"
    counted_in: Literal["optimizer_steps", "examples"] = "optimizer_steps"
    dtype: Literal["float32", "float16"] = "float32"
    epsilon: float = 1e-8
    decay_bias: bool = True
    initial_scale: Literal["embeddings", "default"] = "embeddings"

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.check_every) < 1:
            raise ValueError("steps, batch_size and check_every must be at least 1")
        if self.steps % self.check_every:
            rest = self.steps % self.check_every
            raise ValueError(
                f"check_every {self.check_every} does not divide steps {self.steps}: no look at dev would follow the "
                f"last {rest}"
            )
        if self.dtype == "float16" and self.epsilon < SMALLEST_FLOAT16:
            raise ValueError(f"epsilon {self.epsilon} is 0 in float16, and AdamW would divide by it; set 1.0e-6")
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"warmup_steps {self.warmup_steps} leave nothing of {self.steps} steps to train at full rate"
            )


@dataclass(frozen=True)
class MapperSettings:
    """How the mapper is trained.

    adapter: what is trained, a module of mapper/adapters/. seeds: one mapper each. prefix_tokens: soft tokens per
    image. missing_image: what stands for an image that isn't there. without_demonstrations: share of the training
    examples that show none. vary_demonstrations: whether the others show any number of them, from none to all.
    drop_images: share of the training examples whose post is taken to have no image.
    start: from "scratch", or from the weights of the mapper in data/start, where a retraining puts the champion's.
    checkpoint: folder of an imported mapper, which is taken in place of training one; tracked: what DVC watches for a
    change of it, the same folder, or anything that is there where there is no checkpoint.
    """

    seeds: tuple[int, ...]
    prefix_tokens: int
    missing_image: MissingImage
    course: TrainingCourse
    without_demonstrations: float = 0.0
    vary_demonstrations: bool = False
    drop_images: float = 0.0
    adapter: str = "linear"
    start: Literal["scratch", "champion"] = "scratch"
    checkpoint: str | None = None
    tracked: str = ""

    def __post_init__(self) -> None:
        _expect_share("without_demonstrations", self.without_demonstrations)
        _expect_share("drop_images", self.drop_images)
        if self.checkpoint is None:
            return
        if len(self.seeds) != 1:
            raise ValueError(
                f"checkpoint {self.checkpoint!r} is one mapper, but seeds are {list(self.seeds)}; "
                "add -S 'mapper.seeds=[0]', or -S mapper.checkpoint=null to train"
            )
        if self.adapter != "linear":
            raise ValueError(f"checkpoint {self.checkpoint!r} is a linear mapper, but adapter is {self.adapter!r}")
        if self.tracked != self.checkpoint:
            raise ValueError(
                f"DVC watches {self.tracked!r} for a change of the checkpoint {self.checkpoint!r}; set it in conf/ or "
                "with `dvc exp run -S mapper.checkpoint=…`, which compose mapper.tracked, and not in params.yaml"
            )


@dataclass(frozen=True)
class EvaluationSettings:
    """How the linker is evaluated.

    num_beams: of the search. tail_at_most: entities trained on 1 to so many times are the tail. graded_by: "id", or
    "name": any entity of the gold one's name is a hit, and a gold entity that the catalog lacks can't be hit.
    """

    num_beams: int
    tail_at_most: int
    graded_by: GradedBy = "id"


@dataclass(frozen=True)
class ConfidenceSettings:
    """What is fitted on dev.

    rescore: "entity_images" to fit how much the images of entities count beside the LLM's score, and to link so.
    nil_precision: wanted share of the NIL answers that are right; None: NIL is never answered. sure_precision: of the
    links that are right among those called sure.
    """

    rescore: Rescore = "none"
    nil_precision: float | None = 0.5
    sure_precision: float = 0.98

    def __post_init__(self) -> None:
        for name in ("nil_precision", "sure_precision"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{name}: expected a share above 0, at most 1, got {value}")


@dataclass(frozen=True)
class BaselineSettings:
    """Which baselines are run, and how many entities each of them answers, at most (the LLM: one a beam)."""

    which: tuple[BaselineName, ...]
    top: int = 10

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ValueError(f"top: must be at least 1, got {self.top}")
        if len(set(self.which)) < len(self.which):
            raise ValueError(f"which: a baseline is named twice in {list(self.which)}")


@dataclass(frozen=True)
class Rescoring:
    """How much images count when a beam is re-scored: slope · (likeness − level) is added to a candidate's score.

    likeness: of the post's image and the entity's mean training image, a cosine. Fitted on dev by the evaluation.
    """

    slope: float
    level: float


@dataclass(frozen=True)
class LinkerSettings:
    """Everything about a linker that is not in its files.

    missing_image: what stands for an image that isn't there. rescoring: None: a beam keeps the LLM's scores.
    """

    backbone: BackboneSettings
    demonstrations: DemonstrationSettings
    num_beams: int = 5
    missing_image: MissingImage = "leave_out"
    prompt: PromptSettings = PromptSettings()
    rescoring: Rescoring | None = None


@dataclass(frozen=True)
class TrainingRuntime:
    """How a training run uses its machine; beyond rounding, none of it changes the mapper.

    tokens_at_once: positions that the LLM reads in one forward pass, "auto" for what the device holds; a batch takes as
    many passes as it needs.
    activation_checkpointing: compute layers again in the backward pass instead of keeping what they made. compile: the
    layers, by torch.compile. devices: processes, each with a device, that share every batch; strategy: Lightning's name
    of how they do it. save_every: optimizer steps between two saved states.
    """

    tokens_at_once: int | Literal["auto"] = "auto"
    activation_checkpointing: bool = False
    compile: bool = False
    devices: int = 1
    strategy: str = "auto"
    save_every: int = 50

    def __post_init__(self) -> None:
        for name in ("tokens_at_once", "devices", "save_every"):
            if getattr(self, name) != "auto" and getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1, got {getattr(self, name)}")


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
    training: TrainingRuntime = TrainingRuntime()

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
