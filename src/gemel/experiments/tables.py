"""Rows of a table: accuracies with their intervals, what differs from the reference, and whether that is noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gemel.core.errors import DataError
from gemel.evaluation.names import BLIND, IMAGELESS
from gemel.evaluation.protocol import differences
from gemel.evaluation.slices import SEEN
from gemel.evaluation.statistics import Change, Figure, Hits, change, contrast, difference, share, too_small
from gemel.experiments.definitions import Experiment
from gemel.experiments.paper import paper_figures
from gemel.experiments.results import Result

Rows = list[dict[str, Any]]
POPULARITY = ("popularity, each", "popularity, together", SEEN)
# Two mappers of equal settings differ by less than so many standard deviations, 19 times of 20.
SPREADS = 1.96


def table_rows(experiment: Experiment, results: Mapping[str, Result]) -> Rows:
    """The rows of a table that is not of single mentions.

    results: by the label of their run; for a table of one run, that one.
    Raises: DataError if the runs are of different protocols.
    """
    if experiment.kind == "slices":
        return _slice_rows(next(iter(results.values())))
    if experiment.kind == "settings":
        return _setting_rows(experiment, results)
    if experiment.kind == "runs":
        rows = _run_rows(experiment, results)
    else:
        rows = _variant_rows(experiment, next(iter(results.values())))
    return [*rows, *_of_the_paper_alone(experiment.name, {row["row"] for row in rows})]


def _run_rows(experiment: Experiment, results: Mapping[str, Result]) -> Rows:
    rows = []
    for (label, result), compared in zip(results.items(), _changes(experiment, results), strict=True):
        row = _accuracy_row(experiment.name, label, result.hits(), result.hits(within=5), compared)
        rows.append(row | {"llm": result.card["LLM"], "vision": result.card["vision encoder"]})
    return rows


def _setting_rows(experiment: Experiment, results: Mapping[str, Result]) -> Rows:
    """Accuracy on dev, where settings are compared, and on test, with and without the posts' images."""
    on_dev = {label: replace(result, split="dev") for label, result in results.items()}
    rows = []
    for (label, result), compared in zip(results.items(), _changes(experiment, on_dev), strict=True):
        hits = {
            "accuracy_dev": on_dev[label].hits(),
            "accuracy": result.hits(),
            "accuracy_imageless_post": result.hits(IMAGELESS),
        }
        shares = {name: None if found is None else share(found) for name, found in hits.items()}
        known = {name: figure.as_dict() if figure else None for name, figure in shares.items()}
        rows.append({"row": label} | known | {"change": compared})
    return rows


def _changes(experiment: Experiment, results: Mapping[str, Result]) -> Iterator[dict[str, Any] | None]:
    """The change of each run from the first, on the mappers of equal seeds; None for the first.

    Raises: DataError if the runs are of different protocols.
    """
    first, reference = next(iter(results.items()))
    spread = max(result.seed_spread for result in results.values())
    for label, result in results.items():
        if unlike := differences(reference.card, result.card):
            raise DataError(f"{experiment.name}: {label!r} is of another protocol than {first!r}: {unlike}")
        both = [seed for seed in result.seeds if seed in reference.seeds] or None
        yield None if label == first else _compared(reference.hits(seeds=both), result.hits(), spread)


def _variant_rows(experiment: Experiment, result: Result) -> Rows:
    (key,) = (row.key for row in experiment.rows if row.label == experiment.reference)
    reference = result.hits(key)
    rows = []
    for row in experiment.rows:
        hits = result.hits(row.key)
        # The same mappers are in both, so what differs between mappers is no part of the noise.
        compared = _compared(reference, hits, 0.0) if row.key != key else None
        rows.append(_accuracy_row(experiment.name, row.label, hits, result.hits(row.key, within=5), compared))
    return rows


def _accuracy_row(table: str, label: str, hits: Hits | None, within_5: Hits | None, compared: Any) -> dict[str, Any]:
    """A row; its figures are None where it was not run."""
    accuracy, among = (None if found is None else share(found) for found in (hits, within_5))
    return {
        "row": label,
        "accuracy": accuracy.as_dict() if accuracy else None,
        "hits_at_5": among.as_dict() if among else None,
        "change": compared,
        "paper": dict(paper_figures().get(table, {}).get(label, {})),
    }


def _compared(reference: Hits | None, hits: Hits | None, spread: float) -> dict[str, Any] | None:
    """The change from the reference. spread: of accuracies between mappers of equal settings."""
    if reference is None or hits is None:
        return None
    found: Change = change(reference, hits)
    by_training = SPREADS * spread * float(np.sqrt(1 / len(reference) + 1 / len(hits)))
    facts = found.as_dict()
    if abs(found.gain.mean) <= by_training:
        facts["verdict"] = "inside the noise"
    return facts


def _of_the_paper_alone(table: str, ours: set[str]) -> Rows:
    rest = (label for label in paper_figures().get(table, {}) if label not in ours)
    return [_accuracy_row(table, label, None, None, None) for label in rest]


def _slice_rows(result: Result) -> Rows:
    """Accuracy with and without the image of common and tail entities, and how the gains by the image differ."""
    full, blind = result.hits(), result.hits(BLIND)
    if full is None or blind is None:
        raise DataError(f"{result.folder}: lacks a variant of the linker; run `dvc repro evaluation`")
    rows: Rows = []
    for dimension in (name for name in POPULARITY if result.slices[name].drop_nulls().len()):
        gains = {}
        for group in result.slices[dimension].drop_nulls().unique().sort().to_list():
            where = (result.slices[dimension] == group).fill_null(False).to_numpy()
            gains[group] = full[:, where].mean(axis=0) - blind[:, where].mean(axis=0)
            figures = {
                "accuracy": share(full, where),
                "accuracy_without_image": share(blind, where),
                "image_gain": difference(full, blind, where),
            }
            known = {name: figure.as_dict() if figure else None for name, figure in figures.items()}
            rows.append({"row": f"{dimension}: {group}"} | known | {"too_small": too_small(full[:, where])})
        common = gains.get("common", gains.get("head"))
        if "tail" in gains and common is not None:
            more = contrast(gains["tail"], common)
            facts = {"image_gain": more.as_dict(), "verdict": _tail_verdict(more)}
            rows.append({"row": f"{dimension}: gain by the image, tail less common"} | facts)
    return rows


def _tail_verdict(more: Figure) -> str:
    if more.low <= 0 <= more.high:
        return "inside the noise"
    return "the image helps tail more" if more.mean > 0 else "the image helps tail less"
