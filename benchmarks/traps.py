"""What two choices of the published training code do: its schedule, and its half-precision mapper and optimizer.

The code builds its schedule for micro-steps, but moves it on once for every 16 of them, so that the rate rises all
along and never falls. And it keeps the mapper and AdamW's state in float16, where the second moment of small gradients
is 0: what is left of the update is the first moment by epsilon, momentum SGD of rate 1e-6 / 1e-6 = 1. Each is a setting
here.
Trains the sample world's mapper once for each choice, from the same weights and in the same order; needs `make repro`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import torch
from rich.console import Console
from rich.table import Table

from gemel.core.artifacts import read_manifest
from gemel.core.config import load_section
from gemel.core.settings import (
    BackboneSettings,
    DemonstrationSettings,
    MapperSettings,
    PromptSettings,
    TrainingCourse,
)
from gemel.entities.trie import PackedTrie, read_trie
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.mapper.checkpoints import STATE
from gemel.mapper.examples import Example
from gemel.mapper.mapper import make_mapper
from gemel.mapper.training import train_mapper
from gemel.stages import ENTITY_TRIE, IMAGE_FEATURES
from gemel.stages.mapper import read_examples

PUBLISHED_RATE = 1e-6
TRAPPED = "schedule counted in examples"
HALF: dict[str, Any] = {"dtype": "float16", "epsilon": 1e-6}
CHOICES: dict[str, dict[str, Any]] = {
    "as here": {},
    TRAPPED: {"counted_in": "examples"},
    "float16": HALF,
    "published rate, float32": {"peak_rate": PUBLISHED_RATE},
    "published rate, float16": {"peak_rate": PUBLISHED_RATE, **HALF},
}


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    dev_loss, dev_accuracy: at its end. last_rate_share: of the peak rate, at the last step; highest_rate_share: at any.
    second_moments_zero: share of AdamW's second moments that are 0 at the end.
    """

    choice: str
    dev_loss: float
    dev_accuracy: float
    highest_rate_share: float
    last_rate_share: float
    second_moments_zero: float
    curves: dict[str, list[tuple[int, float]]]


@dataclass(frozen=True)
class World:
    """What every run starts from."""

    settings: MapperSettings
    vision_dim: int
    llm: FrozenLLM
    trie: PackedTrie
    train: list[Example]
    dev: list[Example]

    @classmethod
    def read(cls) -> World:
        """The project in the current folder."""
        settings, backbone = load_section("mapper", MapperSettings), load_section("backbone", BackboneSettings)
        shown = load_section("demonstrations", DemonstrationSettings)
        llm = load_llm(backbone.llm)
        prompt = load_section("prompt", PromptSettings)
        train, dev = read_examples(settings, llm, shown, prompt, backbone.llm.leading_bos)
        width = read_manifest(IMAGE_FEATURES, "image_features")["width"]
        return cls(settings, width, llm, read_trie(ENTITY_TRIE), train, dev)

    def run(self, choice: str, course: TrainingCourse, progress: Path) -> Outcome:
        """Train once."""
        torch.manual_seed(0)
        fresh = make_mapper(self.settings.adapter, self.vision_dim, self.llm.width, self.settings.prefix_tokens)
        result = train_mapper(fresh, self.llm, self.train, self.dev, course, seed=0, progress=progress, trie=self.trie)
        curves = {table.stem: _rows(table) for table in sorted(result.curves.glob("*.tsv"))}
        rates = [rate / course.peak_rate for _, rate in curves["rate"]]
        state = torch.load(progress / STATE, weights_only=True)["optimizer_states"][0]["state"]
        moments = torch.cat([each["exp_avg_sq"].flatten() for each in state.values()])
        return Outcome(
            choice,
            dev_loss=curves["dev_loss"][-1][1],
            dev_accuracy=curves["dev_accuracy"][-1][1],
            highest_rate_share=max(rates),
            last_rate_share=rates[-1],
            second_moments_zero=float((moments == 0).float().mean()),
            curves=curves,
        )


def run_all(steps: int) -> list[Outcome]:
    """Every choice in turn."""
    world = World.read()
    # A tenth of the steps as warm-up, as published; and no stop before the end.
    course = dataclasses.replace(
        world.settings.course, steps=steps, warmup_steps=steps // 10, check_every=steps // 9, patience=9, decay="linear"
    )
    with tempfile.TemporaryDirectory() as place:
        return [
            world.run(choice, dataclasses.replace(course, **changes), Path(place) / str(number))
            for number, (choice, changes) in enumerate(CHOICES.items())
        ]


def show(outcomes: list[Outcome]) -> None:
    table = Table("choice", "dev loss", "dev accuracy", "highest rate", "last rate", "second moments that are 0")
    for each in outcomes:
        rates = (f"{each.highest_rate_share:.1%} of the peak", f"{each.last_rate_share:.1%}")
        table.add_row(
            each.choice, f"{each.dev_loss:.3f}", f"{each.dev_accuracy:.1%}", *rates, f"{each.second_moments_zero:.1%}"
        )
    Console().print(table)


def draw(outcomes: list[Outcome], path: Path) -> None:
    """Plot the rates and the losses on dev."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (rates, losses) = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    for choice, label in (("as here", "as here, and all others"), (TRAPPED, TRAPPED)):
        each = next(outcome for outcome in outcomes if outcome.choice == choice)
        steps, rate = zip(*each.curves["rate"], strict=True)
        highest = max(rate) / each.highest_rate_share
        rates.plot(steps, [value / highest for value in rate], label=label)
    for each in outcomes:
        losses.plot(*zip(*each.curves["dev_loss"], strict=True), marker="o", label=each.choice)
    rates.set(xlabel="optimizer step", ylabel="share of the peak rate", title="Learning rate", ylim=(0, None))
    losses.set(xlabel="optimizer step", ylabel="nats per name token", title="Loss on dev", ylim=(0, None))
    for axes in (rates, losses):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False)
    figure.savefig(path, dpi=120)


def _rows(table: Path) -> list[tuple[int, float]]:
    rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    return [(int(step), float(value)) for step, value in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="18 steps instead of 270: too few to show anything")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--plot", type=Path, help="write a picture of the rates and losses")
    arguments = parser.parse_args()
    outcomes = run_all(18 if arguments.quick else 270)
    show(outcomes)
    if arguments.plot:
        draw(outcomes, arguments.plot)
    if arguments.json:
        print(json.dumps([dataclasses.asdict(each) | {"curves": None} for each in outcomes]))


if __name__ == "__main__":
    main()
