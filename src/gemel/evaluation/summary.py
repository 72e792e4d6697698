"""The figures of a split, by the names that others read: accuracies with intervals, gains, slices, counts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from gemel.confidence.calibrator import Calibrator
from gemel.evaluation.grading import Graded
from gemel.evaluation.names import ALONE, BLIND, CAPTIONED, FULL, IMAGELESS, UNRESCORED
from gemel.evaluation.predictions import hits_of
from gemel.evaluation.slices import slice_figures
from gemel.evaluation.statistics import Figure, Hits, Mask, difference, gap_closed, share
from gemel.evaluation.trust import trust_figures


def summarize(
    predictions: pl.DataFrame, mentions: Graded, slices: pl.DataFrame, tail_at_most: int
) -> dict[str, object]:
    """All figures of one split, by name; None where a slice is empty or a variant was not run.

    slices: of the split, as slice_table.
    tail_at_most: an entity that was trained on 1 to so many times is a tail entity; more often, a head one.
    """
    hits = {variant: hits_of(predictions, variant, 1) for variant in predictions["variant"].unique(maintain_order=True)}
    full, blind, alone = hits[FULL], hits[BLIND], hits[ALONE]
    captioned = hits.get(CAPTIONED)
    counts = mentions.train_counts
    imputed = mentions.table["image_sha256"].is_null().to_numpy()
    head, tail, unseen = counts > tail_at_most, (counts > 0) & (counts <= tail_at_most), counts == 0
    figures: dict[str, Figure | None] = {
        "accuracy": share(full),
        "hits_at_5": share(hits_of(predictions, FULL, 5)),
        "accuracy_without_image": share(blind),
        "accuracy_imageless_post": share(hits[IMAGELESS]) if IMAGELESS in hits else None,
        "accuracy_without_entity_images": share(hits[UNRESCORED]) if UNRESCORED in hits else None,
        "entity_image_gain": difference(full, hits[UNRESCORED]) if UNRESCORED in hits else None,
        "accuracy_without_demonstrations": share(alone),
        "accuracy_gold_caption": None if captioned is None else share(captioned),
        "image_gain": difference(full, blind),
        "demonstration_gain": difference(full, alone),
        "gap_closed": None if captioned is None else gap_closed(full, blind, captioned),
        **_slices(full, blind, {"head": head, "tail": tail, "unseen": unseen, "seen": ~unseen}),
        "accuracy_imputed_image": share(full, imputed),
        "accuracy_real_image": share(full, ~imputed),
    }
    for variant, outcome in hits.items():
        if variant.endswith(" demonstrations") and variant != ALONE:
            figures[f"accuracy_{variant.removesuffix(' demonstrations')}"] = share(outcome)
    counted = {"mentions": mentions.table.height, "nil": mentions.nil, "out_of_kb": mentions.out_of_kb}
    summary: dict[str, object] = {name: figure.as_dict() if figure else None for name, figure in figures.items()}
    summary["slices"] = slice_figures(slices, full, blind)
    return summary | {"counts": counted | {"imputed_image": int(imputed.sum())} | _fitted(predictions)}


def trust_summary(judged: pl.DataFrame, mentions: Graded, calibrator: Calibrator) -> dict[str, object]:
    """How far the links of one split can be trusted. judged: as judged_table, the graded mentions first."""
    others = judged["mention_id"].n_unique() - mentions.table.height
    unseen = np.concatenate([mentions.train_counts == 0, np.zeros(others, dtype=np.bool_)])
    figures = trust_figures(judged, unseen, calibrator)
    return {name: figure.as_dict() if figure else None for name, figure in figures.items()}


def _fitted(predictions: pl.DataFrame) -> dict[str, int]:
    """How many prompts of the linker lost demonstrations, and how many a part of their text, to fit the LLM."""
    # All seeds of a variant have the same prompts, so the first one tells.
    run = predictions.filter((pl.col("variant") == FULL) & (pl.col("seed") == pl.col("seed").first()))
    shortened, windowed = (run["left_out"] > 0).sum(), run["kept_characters"].is_not_null().sum()
    return {"shortened_prompts": int(shortened), "windowed_texts": int(windowed)}


def _slices(full: Hits, blind: Hits, slices: Mapping[str, Mask]) -> dict[str, Figure | None]:
    """Accuracy, and what the image adds, of each slice."""
    accuracy = {f"accuracy_{name}": share(full, where) for name, where in slices.items()}
    return accuracy | {f"image_gain_{name}": difference(full, blind, where) for name, where in slices.items()}
