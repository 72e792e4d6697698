"""`gemel report`: what an evaluation found, and the paper's tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.markup import escape

from gemel.console import err, out
from gemel.core.errors import RequestError
from gemel.stages import METRICS

TABLES = Path("reports")
ALL = "all"


def report(
    what: Annotated[str, typer.Argument(help="metrics.json, or a table: table2 … table7, figure3, …; all")] = str(
        METRICS
    ),
    override: Annotated[list[str] | None, typer.Option("-S", help="settings of a table's runs, KEY=VALUE")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="runs of a table at a time")] = 1,
    to: Annotated[Path, typer.Option("--out", help="folder for a table's NAME.md and NAME.json")] = TABLES,
    as_json: Annotated[bool, typer.Option("--json", help="print a table as one JSON object")] = False,
) -> None:
    """Print the result table of the last evaluation, or run a named experiment and make its table."""
    from gemel.experiments.definitions import EXPERIMENTS

    if what in (*EXPERIMENTS, ALL):
        for name in EXPERIMENTS if what == ALL else (what,):
            _table(name, override or [], jobs, to, as_json)
        return
    if override or as_json:
        raise RequestError(f"{what}: no such table; -S and --json go with {', '.join((*EXPERIMENTS, ALL))}")
    _result_table(Path(what), tuple(EXPERIMENTS))


def _table(name: str, overrides: list[str], jobs: int, to: Path, as_json: bool) -> None:
    from gemel.experiments.definitions import EXPERIMENTS
    from gemel.experiments.rendering import markdown
    from gemel.experiments.running import run_experiment, write_table

    table = run_experiment(EXPERIMENTS[name], overrides, jobs)
    paths = write_table(table, to)
    if as_json:
        typer.echo(json.dumps(table, ensure_ascii=False))
    else:
        out.print(Markdown(markdown(table)))
        err.print(escape(f"written: {', '.join(map(str, paths))}"), highlight=False)


def _result_table(metrics: Path, tables: tuple[str, ...]) -> None:
    from gemel.report.result_table import result_table

    if not metrics.is_file():
        way = "run `dvc repro` first" if metrics.suffix else f"tables are {', '.join((*tables, ALL))}"
        raise RequestError(f"{metrics}: no such file; {way}")
    out.print(result_table(json.loads(metrics.read_text(encoding="utf-8"))))
