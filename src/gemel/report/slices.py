"""The slices of a split for the page: which figures there are, of which kind of mention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Figure = Mapping[str, Any]
# Dimension -> words -> the figures' names in a metrics.json without `slices`.
PLAIN = {
    "how often the entity was trained on": {
        "head": ("accuracy_head", "image_gain_head"),
        "tail": ("accuracy_tail", "image_gain_tail"),
        "never (unseen)": ("accuracy_unseen", "image_gain_unseen"),
        "at least once (seen)": ("accuracy_seen", "image_gain_seen"),
    },
    "image of the post": {
        "readable": ("accuracy_real_image", ""),
        "none or unreadable": ("accuracy_imputed_image", ""),
    },
}


@dataclass(frozen=True)
class Slice:
    """Mentions of one kind. accuracy: with its interval and n. image_gain: by the image; None where it isn't known.

    too_small: too few mentions for the figure to mean much.
    """

    group: str
    accuracy: Figure
    image_gain: Figure | None
    too_small: bool


def slices(figures: Mapping[str, Any]) -> dict[str, tuple[Slice, ...]]:
    """The slices of a split, by dimension; empty ones are left out. figures: the split's in metrics.json."""
    found = {
        dimension: tuple(
            Slice(group, facts["accuracy"], facts.get("image_gain"), bool(facts.get("too_small")))
            for group, facts in groups.items()
            if facts.get("accuracy")
        )
        for dimension, groups in figures.get("slices", {}).items()
    } or {
        dimension: tuple(
            Slice(group, figures[accuracy], figures.get(gain), False)
            for group, (accuracy, gain) in groups.items()
            if figures.get(accuracy)
        )
        for dimension, groups in PLAIN.items()
    }
    return {dimension: groups for dimension, groups in found.items() if groups}
