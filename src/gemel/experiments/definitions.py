"""The paper's tables and figures as named experiments: which runs each needs, and what its rows are.

On the sample world the tables of LLMs and vision encoders take tiny members of each family; for other data sets and
backbones they take the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gemel.evaluation.names import ALONE, BLIND, CAPTIONED, FULL

Kind = Literal["runs", "settings", "variants", "baselines", "slices", "cases"]

# A sweep trains one mapper a setting; how far mappers of equal settings differ is known from the main result.
ONE_SEED = ("mapper.seeds=[0]", "demonstrations.compare=[]")


@dataclass(frozen=True)
class Run:
    """One way to run the pipeline. overrides: of the settings, as `dvc exp run -S` takes them; none: as they stand."""

    label: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row that is a variant or a baseline of one run. key: its name among the predictions."""

    label: str
    key: str


@dataclass(frozen=True)
class Experiment:
    """A table or figure.

    place: in the paper, or "" for a study beside it. kind: what its rows are: whole runs (compared on test), runs that
    decide about a setting (compared on dev), variants or baselines of the settings as they stand, slices of their
    mentions, or single mentions. reference: label of the row that the others are compared with; of runs it is the
    first. sample, paper: runs on the sample world, and at the paper's scale.
    rows: of variants and baselines. note: what to know when reading it.
    """

    name: str
    title: str
    place: str
    kind: Kind
    reference: str = ""
    sample: tuple[Run, ...] = ()
    paper: tuple[Run, ...] = ()
    rows: tuple[Row, ...] = ()
    note: str = ""

    def runs(self, at_scale: bool) -> tuple[Run, ...]:
        """The runs, the settings as they stand first where these are needed alone."""
        return (self.paper if at_scale else self.sample) or (Run("as it stands"),)


def _sweep(key: str, values: tuple[object, ...], standing: object, words: str) -> tuple[Run, ...]:
    """One run for each value of a setting; the one that stands anyway has all its seeds."""
    return tuple(
        Run(f"{words} {value}", () if value == standing else (f"{key}={value}", *ONE_SEED)) for value in values
    )


def _settings(*changes: tuple[str, str]) -> tuple[Run, ...]:
    """The settings as they stand, and one run for each change: words for it, and what `-S` takes, apart by spaces."""
    return (
        Run("as it stands"),
        *(Run(words, (*overrides.split(), *ONE_SEED)) for words, overrides in changes),
    )


_BEYOND = _settings(
    ("an MLP as adapter", "mapper.adapter=mlp"),
    ("demonstrations found by mention and text", "demonstrations.query=mention_and_text"),
    ("the same, dense", "demonstrations.method=dense demonstrations.query=mention_and_text"),
    ("images weigh 0.5 among demonstrations", "demonstrations.image_weight=0.5"),
    ("images weigh 1 among demonstrations", "demonstrations.image_weight=1.0"),
    ("the most relevant demonstration first", "demonstrations.order=reverse"),
    ("corpus order among equal demonstrations", "demonstrations.diversity=none"),
    ("one demonstration of each entity", "demonstrations.diversity=one_each"),
    ("any number of demonstrations in training", "mapper.vary_demonstrations=true"),
    ("a quarter of the training images dropped", "mapper.drop_images=0.25"),
)


def _backbones(*members: tuple[str, str]) -> tuple[Run, ...]:
    """One run for each backbone; the one that stands anyway has all its seeds."""
    return tuple(
        Run(label, () if backbone == "tiny" else (f"backbone={backbone}", *ONE_SEED)) for label, backbone in members
    )


def _paper_backbones(*members: tuple[str, str]) -> tuple[Run, ...]:
    return tuple(Run(label, (f"backbone={backbone}",)) for label, backbone in members)


def _paper_encoders(*members: tuple[str, str, str]) -> tuple[Run, ...]:
    return tuple(
        Run(label, (f"backbone.vision.model={model}", f"backbone.vision.pretrained={pretrained}"))
        for label, model, pretrained in members
    )


_ALL = (
    Experiment(
        "table2",
        "Main result",
        "table 2",
        "baselines",
        "gemel",
        rows=(
            Row("gemel", FULL),
            Row("exact name", "exact_name"),
            Row("most frequent entity of the mention in training", "prior"),
            Row("BM25 over names", "bm25_names"),
            Row("dense bi-encoder over names and descriptions", "dense"),
            Row("CLIP zero-shot, image to all names", "clip"),
            Row("CLIP zero-shot, image to the names that hold the mention", "clip_among_names"),
            Row("the same LLM alone: no mapper, no trie", "llm_alone"),
        ),
    ),
    Experiment(
        "table3",
        "Ablations",
        "table 3",
        "variants",
        "gemel",
        rows=(
            Row("gemel", FULL),
            Row("without the image", BLIND),
            Row("without demonstrations", ALONE),
            Row("without the trie", "without_trie"),
            Row("without mapper and trie", "llm_alone"),
            Row("gold caption in place of the soft tokens", CAPTIONED),
        ),
        note="The parts are taken away when linking; the mapper is the same in all rows.",
    ),
    Experiment(
        "table4",
        "LLMs",
        "table 4",
        "runs",
        sample=_backbones(("Llama-2", "tiny"), ("Llama", "tiny-llama-1"), ("OPT", "tiny-opt-4")),
        paper=_paper_backbones(("Llama-2", "llama2-7b"), ("Llama", "llama-7b"), ("OPT", "opt-6.7b")),
        note="On the sample world tiny members of the families: of tiny-llama's size, OPT and Llama with half of "
        "tiny-llama's pretraining, which plays Llama-2.",
    ),
    Experiment(
        "table5",
        "Vision encoders",
        "table 5",
        "runs",
        sample=_backbones(("CLIP", "tiny"), ("ResNet", "tiny-resnet"), ("BEiT", "tiny-beit")),
        paper=_paper_encoders(
            ("CLIP", "ViT-L-14", "openai"),
            ("ResNet", "timm:resnet101", "a1_in1k"),
            ("BEiT", "timm:beit_large_patch16_224", "in22k_ft_in22k_in1k"),
        ),
        note="On the sample world tiny members of the families: CLIP learned from captions, the others to classify.",
    ),
    Experiment(
        "figure3",
        "Size of the LLM",
        "figure 3",
        "runs",
        sample=tuple(Run(f"OPT {n}", (f"backbone=tiny-opt-{n}", *ONE_SEED)) for n in (4, 3, 2, 1)),
        paper=_paper_backbones(
            ("OPT 6.7b", "opt-6.7b"), ("OPT 2.7b", "opt-2.7b"), ("OPT 1.3b", "opt-1.3b"), ("OPT 350m", "opt-350m")
        ),
        note="On the sample world four sizes of a tiny OPT; the fourth is the largest.",
    ),
    Experiment(
        "table6",
        "Choice of demonstrations",
        "table 6",
        "variants",
        "random",
        rows=(
            Row("none", ALONE),
            Row("random", "random demonstrations"),
            Row("BM25", "bm25 demonstrations"),
            Row("dense", "dense demonstrations"),
        ),
        note="The mapper is the same in all rows; half of its training examples showed no demonstrations.",
    ),
    Experiment(
        "table7",
        "Popularity bias",
        "table 7",
        "slices",
        note="Two readings of a tail entity, one with less than 5 % of the total count: each entity by itself, or the "
        "least popular ones that have less than 5 % together; and, beside them, how often it was trained on.",
    ),
    Experiment("figure4", "Case study", "figure 4", "cases", note="Chosen by rule: the first mentions of each kind."),
    Experiment(
        "prefix",
        "Soft tokens per image",
        "",
        "runs",
        sample=_sweep("mapper.prefix_tokens", (4, 1, 2, 8), 4, "k ="),
        paper=_sweep("mapper.prefix_tokens", (4, 1, 2, 8), 4, "k ="),
    ),
    Experiment(
        "demonstrations",
        "Number of demonstrations",
        "",
        "runs",
        sample=_sweep("demonstrations.count", (4, 0, 1, 2, 8, 16), 4, "n ="),
        paper=_sweep("demonstrations.count", (16, 0, 1, 2, 4, 8), 16, "n ="),
        note="In training as in linking.",
    ),
    Experiment(
        "rate",
        "Peak learning rate of the mapper",
        "",
        "runs",
        sample=_sweep("mapper.course.peak_rate", (0.01, 0.001, 0.003, 0.03), 0.01, "rate"),
        paper=_sweep("mapper.course.peak_rate", (0.01, 0.0001, 0.0003, 0.001), 0.01, "rate"),
    ),
    Experiment(
        "beyond",
        "Adapters and demonstrations beyond the paper's",
        "",
        "settings",
        sample=_BEYOND,
        paper=_BEYOND,
        note="Each row changes one setting, in training as in linking. A setting is to become the default if its gain "
        "on dev is more than noise; test is there to report it. Posts without image: their demonstrations keep theirs.",
    ),
)
EXPERIMENTS = {experiment.name: experiment for experiment in _ALL}
