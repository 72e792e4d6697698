"""`gemel report`: what an evaluation found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gemel.console import out
from gemel.core.errors import RequestError
from gemel.stages import METRICS


def report(metrics: Annotated[Path, typer.Argument(help="metrics.json")] = METRICS) -> None:
    """Print the result table of the last evaluation."""
    from gemel.report.result_table import result_table

    if not metrics.is_file():
        raise RequestError(f"{metrics}: no such file; run `dvc repro` first")
    out.print(result_table(json.loads(metrics.read_text(encoding="utf-8"))))
