"""The report of a run as one HTML page: its protocol, figures, curves and slices, and a browser of its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from gemel.core.artifacts import artifact_hash
from gemel.evaluation.names import FULL
from gemel.report.calibration import calibration
from gemel.report.confusions import MentionConfusions, confusions
from gemel.report.curves import training_charts
from gemel.report.page_data import browser_data
from gemel.report.rendering import percent, render
from gemel.report.result_table import ROWS, figure_of
from gemel.report.run import SPLITS, Run
from gemel.report.slices import slices

MOST_GROUPS = 40
HASH_CHARACTERS = 12


@dataclass(frozen=True)
class Page:
    """A rendered page, and what to say of it: graded mentions, those answered wrong, and the seed whose answers
    these are.
    """

    html: str
    mentions: int
    wrong: int
    seed: int


def run_page(run: Run) -> Page:
    """Make the page of a run. Raises: ArtifactError if a curve is damaged."""
    data = browser_data(run)
    wrong = sum(row["place"] != 1 for row in data["mentions"])
    metrics, groups = run.evaluation.metrics, _confusions(run)
    html = render(
        "report.html",
        ["browser.js", "report.js"],
        data,
        title=f"gemel: {run.facts['posts']['dataset']}",
        protocol=dict(run.evaluation.protocol or _protocol(run)) | dict(_circumstances(run)),
        seed=run.evaluation.best_seed,
        metrics=metrics,
        results=list(_results(metrics)),
        slices=slices(metrics["test"]),
        charts=training_charts(run.folder / "mapper", run.summary),
        seeds=run.summary["seeds"],
        calibrations={split: calibration(run.judged.filter(pl.col("split") == split)) for split in SPLITS},
        groups=groups[:MOST_GROUPS],
        more_groups=max(0, len(groups) - MOST_GROUPS),
        names=_names(run, groups[:MOST_GROUPS]),
        wrong=wrong,
        total=len(data["mentions"]),
    )
    return Page(html, len(data["mentions"]), wrong, run.evaluation.best_seed)


def _protocol(run: Run) -> Iterator[tuple[str, object]]:
    """What the figures stand on, from the manifests of a run that states no protocol itself."""
    facts, metrics = run.facts, run.evaluation.metrics
    llm = facts["mapper"]["llm"]
    counts = metrics["test"]["counts"]
    yield "data set", facts["posts"]["dataset"]
    yield "graded by", f"entity {facts['evaluation']['graded_by']}"
    yield "graded mentions", ", ".join(f"{run.graded[split].table.height} in {split}" for split in SPLITS)
    yield "without a readable image", f"{counts['imputed_image']} in test"
    outside = f"{counts['out_of_kb']} mentions outside the catalog"
    if facts["evaluation"]["graded_by"] == "id":
        yield "not graded", f"{counts['nil']} NIL mentions, {outside}, in test"
    else:
        yield "not graded", f"{counts['nil']} NIL mentions in test"
        yield "graded as wrong", f"{outside} in test"
    yield "names in the trie", f"{facts['entity_trie']['names']:,}"
    yield "beams", facts["evaluation"]["num_beams"]
    yield "demonstrations", f"{max(map(len, run.chosen.values()), default=0)} by {run.method}"
    yield "LLM", " ".join(filter(None, (llm["model"], llm["revision"], llm["dtype"], _weights(llm["weights"]))))
    yield "vision encoder", facts["mapper"]["encoder"]


def _circumstances(run: Run) -> Iterator[tuple[str, object]]:
    """What no protocol states."""
    facts = run.facts
    yield "trainable share of all parameters", f"{run.summary['trainable_share']:.2%}"
    seeds = [str(seed) for seed in facts["evaluation"]["seeds"]]
    yield "seeds", f"{', '.join(seeds)}; the best on dev is {run.evaluation.best_seed}"
    yield "a head entity", f"trained on more than {facts['evaluation']['tail_at_most']} times"
    yield "evaluation artifact", artifact_hash(run.evaluation.folder)[:HASH_CHARACTERS]


def _weights(weights: str) -> str:
    return "" if weights == "full" else weights


def _results(metrics: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """The rows of the result table that the run has figures for."""
    for key, words in ROWS.items():
        test, dev = figure_of(metrics["test"], key), figure_of(metrics["dev"], key)
        if test or dev:
            yield {
                "words": words,
                "test": _mean(test),
                "interval": f"{percent(test['low'])} – {percent(test['high'])}" if test else "",
                "n": str(test["n"]) if test else "",
                "dev": _mean(dev),
            }


def _mean(figure: Mapping[str, Any] | None) -> str:
    if not figure:
        return ""
    return percent(figure["mean"]) + (f" ± {percent(figure['spread'])}" if figure["seeds"] > 1 else "")


def _confusions(run: Run) -> tuple[MentionConfusions, ...]:
    answers = run.evaluation.answers(FULL, "test")
    mentions = dict(run.graded["test"].table.select("mention_id", "mention").iter_rows())
    return confusions(
        (mentions[row["mention_id"]], row["entity_id"], row["answers"][0], row["place"] == 1)
        for row in answers.iter_rows(named=True)
    )


def _names(run: Run, groups: tuple[MentionConfusions, ...]) -> dict[str, str]:
    """Entity id -> name, of the entities that were confused; ids stand for those outside the catalog."""
    ids = {entity for group in groups for pair in group.confusions for entity in (pair.gold, pair.answered)}
    return {entity: run.catalog.entity(entity).name if entity in run.catalog else entity for entity in ids}
