"""How every benchmark shows its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table


def show(report: Mapping[str, object], title: str, *, as_json: bool) -> None:
    """Print a table for people; with as_json, one JSON object as the last line. Lists are in the latter alone."""
    table = Table("figure", "value", title=title)
    for figure, value in report.items():
        if isinstance(value, list):
            continue
        table.add_row(figure, f"{value:.3g}" if isinstance(value, float) else str(value))
    Console().print(table)
    if as_json:
        print(json.dumps(report))
