"""The paper's figures, as far as they are at hand: paper_figures.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

DATA_SETS = ("WikiDiverse", "WikiMEL")


@cache
def paper_figures() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Accuracies in %, by table, row and data set."""
    text = files("gemel.experiments").joinpath("paper_figures.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
