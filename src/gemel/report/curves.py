"""The training curves that the stage `mapper` kept, as charts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gemel.core.errors import ArtifactError
from gemel.report.charts import Chart, Points, line_chart

# File of each curve -> title; in the order of the page.
CURVES = {
    "train_loss": "loss on train",
    "dev_loss": "loss on dev",
    "dev_accuracy": "accuracy on some mentions of dev",
    "rate": "learning rate",
}


def training_charts(mapper: Path, summary: Mapping[str, Any]) -> tuple[Chart, ...]:
    """A chart for each curve, with a line for each seed; none for a mapper that was imported and not trained.

    mapper: the artifact. summary: its summary.json.
    Raises: ArtifactError if a curve is damaged.
    """
    charts = []
    for name, title in CURVES.items():
        found = {seed: mapper / f"seed-{seed}" / "curves" / f"{name}.tsv" for seed in summary["seeds"]}
        curves = [
            (f"seed {seed}", int(seed) == summary["best_seed"], points)
            for seed, path in found.items()
            if path.is_file() and (points := _read(path))
        ]
        if curves:
            charts.append(line_chart(title, curves))
    return tuple(charts)


def _read(path: Path) -> Points:
    """(step, value) of each row behind the header."""
    _, *rows = path.read_text(encoding="utf-8").splitlines()
    try:
        return [(float(step), float(value)) for step, value in (row.split("\t") for row in rows)]
    except ValueError as error:
        raise ArtifactError(f"{path}: not a curve of step and value ({error}); run `dvc repro mapper`") from error
