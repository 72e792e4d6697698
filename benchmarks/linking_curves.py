"""What a mention costs against the batch, the prompt's length, the beams and the number of names.

Costs are CPU time with a small model; each is the least of some rounds, as other work on the machine only adds to it.
The baseline, one mention at a time, is measured where it is cheap: its dicts of a million names take a gigabyte.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from benchmarks.linking_models import FIRST_PIECE, Shape, Vocabulary, make_llm
from benchmarks.linking_names import first_names, names_in, random_names, tokens_of
from benchmarks.published_search import NestedTrie, published_search
from gemel.entities.trie_build import NameTokens, build_trie
from gemel.llm.search import BeamSearch
from gemel.llm.segments import Prompt, Segment, embed_segments
from gemel.llm.tokens import load_tokenizer

ROUNDS, MENTIONS, BASELINE_MENTIONS = 2, 32, 4
# The dicts of more names take too long and too much memory.
MOST_BASELINE_NAMES = 100_000


@dataclass(frozen=True)
class Case:
    """What is measured. batch: mentions together. tokens: of a prompt. beams: of a mention. names: of the trie."""

    batch: int = 32
    tokens: int = 950
    beams: int = 5
    names: int = 10_000


@dataclass(frozen=True)
class Point:
    """CPU milliseconds that a mention costs at one place of an axis; baseline_ms: None where it is not measured."""

    at: int
    ours_ms: float
    baseline_ms: float | None


@dataclass(frozen=True)
class Axis:
    """One panel: the field of Case that changes, its values, and its title."""

    field: str
    values: tuple[int, ...]
    title: str
    logarithmic: bool = True


AXES = (
    Axis("batch", (1, 2, 4, 8, 16, 32, 64), "mentions searched together"),
    Axis("tokens", (100, 400, 800, 1_200, 1_600), "tokens of a prompt", logarithmic=False),
    Axis("beams", (1, 2, 3, 5, 7, 10), "beams", logarithmic=False),
    Axis("names", (10_000, 100_000, 1_000_000), "names in the trie"),
)


class World:
    """The model, and what is searched in it; names of smaller tries are the first ones of larger tries."""

    def __init__(self, llm: PreTrainedModel, names: NameTokens) -> None:
        self.llm, self.names = llm, names
        self._rng = np.random.default_rng(0)

    def costs(self, axis: Axis) -> Iterator[Point]:
        """Measure an axis, in rounds over all its points."""
        cases = [replace(Case(), **{axis.field: value}) for value in axis.values]
        runs = [self._runs(case) for case in cases]
        least = np.full((len(cases), 2), np.inf)
        for _ in range(ROUNDS):
            for row, pair in enumerate(runs):
                least[row] = np.minimum(least[row], [work_ms(run, count) for run, count in pair])
        for value, (ours, baseline) in zip(axis.values, least.tolist(), strict=True):
            yield Point(value, ours, baseline if np.isfinite(baseline) else None)

    def _runs(self, case: Case) -> list[tuple[Callable[[], object] | None, int]]:
        """Our run and the baseline's, None where it is too dear, each with its number of mentions."""
        names = first_names(self.names, case.names)
        trie, end = build_trie(names), int(self.llm.config.eos_token_id)
        search = BeamSearch(self.llm, trie, eos_token_id=end, num_beams=case.beams, tokens_at_once=10**9)
        prompts = [self._prompt(case.tokens) for _ in range(max(MENTIONS, case.batch))]

        def ours() -> None:
            for start in range(0, len(prompts), case.batch):
                search.find(prompts[start : start + case.batch])

        # Its cost is the same in every batch; with one beam `generate` is greedy and gives no score.
        if case.names > MOST_BASELINE_NAMES or (case.batch > 1 and case.batch != Case().batch) or case.beams == 1:
            return [(ours, len(prompts)), (None, 0)]
        nested = NestedTrie([(*name, end) for name in names.to_lists()])
        embedded = [embed_segments(prompt.query, self.llm.get_input_embeddings()) for prompt in prompts]

        def baseline() -> None:
            for prompt in embedded[:BASELINE_MENTIONS]:
                published_search(self.llm, prompt, nested, num_beams=case.beams, max_new_tokens=trie.depth)

        return [(ours, len(prompts)), (baseline, BASELINE_MENTIONS)]

    def _prompt(self, tokens: int) -> Prompt:
        # A few lengths around it, as in use; prompts of one length would be read together.
        length = tokens + int(self._rng.integers(-tokens // 50, tokens // 50 + 1))
        ids = self._rng.integers(FIRST_PIECE, self.llm.config.vocab_size, size=length).tolist()
        return Prompt((Segment(tuple(ids)),))


def work_ms(run: Callable[[], object] | None, mentions: int) -> float:
    """CPU milliseconds of a run for each of its mentions; infinite where there is no run."""
    if run is None:
        return float("inf")
    start = time.process_time()
    run()
    return (time.process_time() - start) * 1e3 / mentions


def draw_curves(settings: argparse.Namespace, shape: Shape) -> None:
    """Measure all axes; write curves.json and curves.png into a folder.

    The axis of names ends at settings.most_names. The names are made up, unless files are given.
    """
    tokenizer = load_tokenizer(str(settings.tokenizer)) if settings.tokenizer else None
    vocabulary = Vocabulary.of(tokenizer) if tokenizer else Vocabulary(shape.vocab)
    if tokenizer:
        names = tokens_of(names_in(settings.names), tokenizer, settings.most_names)
    else:
        names = random_names(np.random.default_rng(0), vocabulary, settings.most_names)
    world = World(make_llm(shape, vocabulary, torch.device("cpu"), torch.float32), names)
    curves = {}
    for axis in AXES:
        if axis.field == "names":
            sizes = {value for value in axis.values if value < settings.most_names}
            axis = replace(axis, values=(*sorted(sizes), settings.most_names))
        curves[axis.field] = [asdict(point) for point in world.costs(axis)]
    settings.curves.mkdir(parents=True, exist_ok=True)
    written = {"family": shape.family, "vocab": vocabulary.size, "default": asdict(Case()), "curves": curves}
    (settings.curves / "curves.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    plot_curves(curves, settings.curves / "curves.png")


def plot_curves(curves: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw one panel an axis."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(9, 6.6), layout="constrained")
    for axis, panel in zip(AXES, panels.flat, strict=True):
        points = curves[axis.field]
        measured = [(point["at"], point["baseline_ms"]) for point in points if point["baseline_ms"] is not None]
        if axis.field == "batch":
            measured = [(point["at"], min(cost for _, cost in measured)) for point in points]
        panel.plot(
            *zip(*measured, strict=True), "s--", color="tab:gray", label="published search, one mention at a time"
        )
        panel.plot([point["at"] for point in points], [point["ours_ms"] for point in points], "o-", label="gemel")
        panel.set(xlabel=axis.title, ylabel="CPU time of a mention, ms", ylim=(0, None))
        if axis.logarithmic:
            panel.set_xscale("log")
            panel.minorticks_off()
        panel.set_xticks([point["at"] for point in points], [f"{point['at']:,}" for point in points])
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    usual = Case()
    figure.suptitle(
        f"Cost of a mention; where not varied: {usual.batch} mentions together, prompts of {usual.tokens} tokens, "
        f"{usual.beams} beams, {usual.names:,} names",
        fontsize=10,
    )
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
