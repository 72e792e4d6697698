"""Stage `baselines`: other ways to link the mentions that evaluation grades; predictions and their figures.

Each baseline reads only what it needs: those of the text run where there are no images and no mapper. How long each
took is printed and in no file, so that a second run gives the same artifact.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from gemel.answerer import Sight
from gemel.baselines.clip import ClipAmongNames, ClipEntities
from gemel.baselines.clip_space import NoTextTowerError, load_clip_space
from gemel.baselines.free_text import FreeWriter
from gemel.baselines.llm import WrittenNames
from gemel.baselines.ranking import Baseline
from gemel.baselines.summary import summarize_baselines
from gemel.baselines.text import TEXT_BASELINES
from gemel.core.artifacts import expect_fact, new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import (
    BackboneSettings,
    BaselineSettings,
    DemonstrationSettings,
    EvaluationSettings,
    RuntimeSettings,
)
from gemel.entities.catalog import Catalog
from gemel.entities.trie import read_trie
from gemel.evaluation.grading import Graded, given_names, graded
from gemel.evaluation.predictions import prediction_table
from gemel.features.store import FeatureStore
from gemel.posts.tables import Tables
from gemel.retrieval.encoder import load_embed
from gemel.stages import BASELINES, DEMONSTRATIONS, ENTITY_TRIE, IMAGE_FEATURES, MAPPER, MAPPER_SUMMARY, POSTS
from gemel.stages.answerers import load_frozen_llm, make_answerers
from gemel.tasks.linking.demonstrations import read_chosen

PREDICTIONS, FIGURES = "predictions.parquet", "baselines.json"
SPLITS = ("dev", "test")
SEED = 0  # nothing is drawn at random


@dataclass(frozen=True)
class Run:
    """A baseline that was run. seconds: to make it ready and to answer both splits."""

    name: str
    predictions: pl.DataFrame
    seconds: float


def main() -> None:
    """Link dev and test with every baseline of the settings, and write predictions and figures."""
    settings = load_section("baselines", BaselineSettings)
    graded_by = load_section("evaluation", EvaluationSettings).graded_by
    read_manifest(POSTS, POSTS.name)
    tables = Tables.read(POSTS)
    names = given_names(tables.entities) if graded_by == "name" else None
    mentions = {split: graded(tables.mentions, tables.posts, split, names) for split in SPLITS}
    facts: dict[str, Any] = asdict(settings) | {"graded_by": graded_by}
    with new_artifact(BASELINES, "baselines", facts) as draft:
        left_out: dict[str, str] = {}
        runs = list(_run_all(settings, tables, mentions, left_out))
        predictions = pl.concat([run.predictions for run in runs])
        predictions.write_parquet(draft / PREDICTIONS)
        figures: dict[str, Any] = {
            split: summarize_baselines(predictions.filter(pl.col("split") == split), settings.top) for split in SPLITS
        }
        figures |= {"graded_by": graded_by, "left_out": left_out}
        (draft / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    _show(figures, runs)


def _run_all(
    settings: BaselineSettings, tables: Tables, mentions: Mapping[str, Graded], left_out: dict[str, str]
) -> Iterator[Run]:
    """Every baseline by itself. left_out: gets the reason why one can't be run with this backbone."""
    builders = _builders(tables, settings)
    for name in settings.which:
        start = time.perf_counter()
        try:
            baselines = builders[name]()
        except NoTextTowerError as error:
            left_out[name] = str(error)
            continue
        for variant, baseline in baselines.items():
            found = [
                prediction_table(rows, split, variant, SEED, baseline.answer(rows)) for split, rows in mentions.items()
            ]
            yield Run(variant, pl.concat(found), time.perf_counter() - start)
            start = time.perf_counter()


def _builders(tables: Tables, settings: BaselineSettings) -> dict[str, Callable[[], dict[str, Baseline]]]:
    """What makes the baselines of each setting, by the names they go by."""
    device = load_section("runtime", RuntimeSettings).torch_device

    def of_text(name: str) -> Callable[[], dict[str, Baseline]]:
        def load() -> Any:
            return load_embed(load_section("demonstrations", DemonstrationSettings).encoder, device)

        return lambda: {name: TEXT_BASELINES[name](tables, load, settings.top)}

    return {
        **{name: of_text(name) for name in TEXT_BASELINES},
        "clip": lambda: _of_clip(tables, settings.top, device),
        "llm_alone": lambda: {"llm_alone": _of_llm("nothing")},
        "without_trie": lambda: {"without_trie": _of_llm("image")},
    }


def _of_clip(tables: Tables, top: int, device: str) -> dict[str, Baseline]:
    """Zero-shot over the whole catalog, and among the names that hold the mention."""
    vision = load_section("backbone", BackboneSettings).vision
    facts = read_manifest(IMAGE_FEATURES, IMAGE_FEATURES.name)
    encoder = vision.model if vision.pretrained is None else f"{vision.model}/{vision.pretrained}"
    expect_fact(IMAGE_FEATURES, facts, "encoder", encoder, IMAGE_FEATURES.name)
    space = load_clip_space(vision, device)
    expect_fact(IMAGE_FEATURES, facts, "width", space.vision_width, IMAGE_FEATURES.name)
    clip = ClipEntities(tables.entities, space, FeatureStore(IMAGE_FEATURES), top)
    return {"clip": clip, "clip_among_names": ClipAmongNames(clip, tables.entities, tables.names)}


def _of_llm(sight: Sight) -> Baseline:
    """The LLM without the trie. sight: "image" for the soft tokens of the best mapper, "nothing" for none."""
    method = load_section("demonstrations", DemonstrationSettings).method
    beams = load_section("evaluation", EvaluationSettings).num_beams
    for stage in (IMAGE_FEATURES, DEMONSTRATIONS, MAPPER):
        read_manifest(stage, stage.name)
    seed = int(json.loads(MAPPER_SUMMARY.read_text(encoding="utf-8"))["best_seed"])
    llm = load_frozen_llm()
    answerer = make_answerers(llm, [seed], beams)[seed]
    positions = load_section("runtime", RuntimeSettings).tokens_at_once
    writer = FreeWriter(llm, num_beams=beams, new_tokens=read_trie(ENTITY_TRIE).depth, positions_at_once=positions)
    vectors = FeatureStore(IMAGE_FEATURES).vector_or_fallback("leave_out")
    catalog = Catalog.read(POSTS / "entities.parquet")
    return WrittenNames(answerer, writer, catalog, read_chosen(DEMONSTRATIONS, method), vectors, sight)


def _show(figures: Mapping[str, Any], runs: list[Run]) -> None:
    table = Table("baseline", "accuracy on test", "among 5", "among 10", "answered", "seconds", title="Baselines")
    for run in runs:
        found = figures["test"][run.name]
        shares = [
            f"{found[name]['mean']:.1%}" if name in found else "–" for name in ("accuracy", "hits_at_5", "hits_at_10")
        ]
        table.add_row(run.name, *shares, str(found["answered"]), f"{run.seconds:.1f}")
    console = Console()
    console.print(table)
    for name, reason in figures["left_out"].items():
        console.print(f"{name} was left out: {reason}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
