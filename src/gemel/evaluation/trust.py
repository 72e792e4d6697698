"""How far links can be trusted: NIL answers, calibration, and what is linked when only sure links are taken."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from gemel.confidence.calibrator import Calibrator
from gemel.evaluation.statistics import Figure, Floats, Mask, resampled, share

BINS = 10
CURVE_POINTS = 50
# Columns of the rows that the statistics are made of.
_CHANCE, _SHARE, _RIGHT, _IS_NIL, _SAID_NIL = range(5)


def trust_figures(table: pl.DataFrame, unseen: Mask, calibrator: Calibrator) -> dict[str, Figure | None]:
    """The figures of one split, by name; None where the split has no such mentions.

    table: as judged_table, of all seeds one after the other, equal mentions in equal order. unseen: which of the
    mentions are of an entity that was never trained on, (mentions,).
    """
    runs = _runs(table)
    right, nil, said = (np.stack([rows[:, column] for rows in runs]) for column in (_RIGHT, _IS_NIL, _SAID_NIL))
    linked_right = right * (1 - said)
    in_kb = nil[0] == 0
    return {
        "nil_f1": resampled(runs, lambda rows: _f1(rows[:, _SAID_NIL], rows[:, _IS_NIL])),
        "nil_precision": resampled(
            runs, lambda rows: _ratio(rows[:, _SAID_NIL] * rows[:, _IS_NIL], rows[:, _SAID_NIL])
        ),
        "nil_recall": resampled(runs, lambda rows: _ratio(rows[:, _SAID_NIL] * rows[:, _IS_NIL], rows[:, _IS_NIL])),
        "accuracy_in_kb": share(linked_right, in_kb),
        "accuracy_of_all": share(linked_right + said * nil),
        "accuracy_of_all_never_nil": share(right),
        "calibration_error": resampled(runs, lambda rows: calibration_error(rows[:, _CHANCE], rows[:, _RIGHT])),
        "calibration_error_of_shares": resampled(
            runs, lambda rows: calibration_error(rows[:, _SHARE], rows[:, _RIGHT])
        ),
        **_sure(runs, unseen, calibrator.sure_above),
    }


def calibration_error(chances: Floats, hits: Floats) -> float:
    """Expected calibration error: mean distance of accuracy and chance over ten equally wide bins, 0 to 1."""
    places = np.minimum((chances * BINS).astype(int), BINS - 1)
    # Of each bin the sum of the differences; its size cancels out.
    return float(np.abs(np.bincount(places, hits - chances, BINS)).sum() / len(hits))


def risk_coverage(table: pl.DataFrame) -> list[dict[str, float]]:
    """Rows of a plot: what share of the links is wrong where only the surest are taken, by chance and by beam share.

    table: as judged_table, of all seeds. NIL mentions are among them: each link of one is wrong.
    """
    hits = (table["outcome"] == "right").to_numpy()
    counts = np.arange(1, len(hits) + 1)
    by_chance, by_share = (
        1 - np.cumsum(hits[np.argsort(-table[column].to_numpy(), kind="stable")]) / counts
        for column in ("chance_right", "share")
    )
    return [
        {
            "coverage": round(n / len(hits), 6),
            "by chance": round(float(by_chance[n - 1]), 6),
            "by share within the beam": round(float(by_share[n - 1]), 6),
        }
        for n in np.unique(np.linspace(1, len(hits), CURVE_POINTS).round().astype(int)).tolist()
    ]


def _runs(table: pl.DataFrame) -> list[Floats]:
    rows = table.select(
        "chance_right",
        "share",
        pl.col("outcome") == "right",
        (pl.col("outcome") == "nil").alias("is_nil"),
        pl.col("nil").alias("said"),
    ).cast(pl.Float64)
    return [part.to_numpy() for part in rows.with_columns(table["seed"]).partition_by("seed", include_key=False)]


def _sure(runs: list[Floats], unseen: Mask, above: float | None) -> Mapping[str, Figure | None]:
    """How many links are taken above the threshold that dev set, and how many of these are right."""
    least = np.inf if above is None else above

    def taken(rows: Floats) -> Floats:
        found: Floats = (rows[:, _CHANCE] >= least) & (rows[:, _SAID_NIL] == 0)
        return found

    covered = np.stack([taken(rows) for rows in runs]).astype(np.float64)
    return {
        "coverage_sure": share(covered),
        "coverage_sure_unseen": share(covered, unseen),
        "precision_sure": resampled(runs, lambda rows: _ratio(taken(rows) * rows[:, _RIGHT], taken(rows))),
        "precision_sure_unseen": resampled(
            [rows[unseen] for rows in runs], lambda rows: _ratio(taken(rows) * rows[:, _RIGHT], taken(rows))
        ),
    }


def _ratio(hits: Floats, of: Floats) -> float:
    return float(hits.sum() / of.sum()) if of.sum() else float("nan")


def _f1(said: Floats, true: Floats) -> float:
    both = said.sum() + true.sum()
    return float(2 * (said * true).sum() / both) if true.sum() else float("nan")
