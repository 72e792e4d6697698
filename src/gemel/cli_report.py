"""`gemel report`: what an evaluation found, its page, what changed between two runs, and the paper's tables."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.markup import escape

from gemel.console import err, out
from gemel.core.errors import RequestError
from gemel.stages import METRICS

ARTIFACTS = METRICS.parents[1]
TABLES = Path("reports")
ALL = "all"


def report(
    what: Annotated[str, typer.Argument(help="metrics.json, a table (table2, figure3, …), or all")] = str(METRICS),
    override: Annotated[list[str] | None, typer.Option("-S", help="settings of a table's runs, KEY=VALUE")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="runs of a table at a time")] = 1,
    to: Annotated[Path, typer.Option("--out", help="folder for a table's NAME.md and NAME.json")] = TABLES,
    html: Annotated[Path | None, typer.Option(help="write a page that opens offline, with all errors")] = None,
    run: Annotated[
        Path, typer.Option(help="the run's folder: its artifacts, or the checkout that has them")
    ] = ARTIFACTS,
    compare: Annotated[
        tuple[str, str] | None, typer.Option(help="two runs: folders, or DVC revisions or experiments", metavar="A B")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print a table or a comparison as one JSON object")] = False,
) -> None:
    """Print the result table of the last evaluation, write its page, compare two runs, or make a table of the paper."""
    from gemel.experiments.definitions import EXPERIMENTS

    if what == ALL:
        _all_tables(override or [], jobs, to, as_json)
    elif what in EXPERIMENTS:
        _table(what, override or [], jobs, to, as_json)
    elif compare is not None:
        _compare(*compare, html, as_json)
    elif override or as_json:
        known = ", ".join((*EXPERIMENTS, ALL))
        raise RequestError(f"-S and --json belong to a table ({known}), --json also to --compare A B; found {what}")
    elif html is not None:
        _write_page(run, html)
    else:
        _result_table(Path(what), tuple(EXPERIMENTS))


def _all_tables(overrides: list[str], jobs: int, to: Path, as_json: bool) -> None:
    from gemel.experiments.definitions import EXPERIMENTS
    from gemel.experiments.running import run_ahead

    run_ahead(EXPERIMENTS.values(), overrides, jobs)
    for name in EXPERIMENTS:
        _table(name, overrides, jobs, to, as_json)


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


def _write_page(run: Path, html: Path) -> None:
    from gemel.report.page import run_page
    from gemel.report.rendering import write_page
    from gemel.report.run import artifacts_folder, read_run

    page = run_page(read_run(artifacts_folder(run)))
    size = write_page(html, page.html)
    out.print(
        f"{escape(str(html))}: {size / 1e6:.2f} MB, {page.mentions} graded mentions, {page.wrong} of them wrong "
        f"(seed {page.seed}, the best on dev)",
        highlight=False,
    )


def _compare(a: str, b: str, html: Path | None, as_json: bool) -> None:
    from gemel.report.compare import compare
    from gemel.report.comparison_page import comparison_page
    from gemel.report.comparison_table import changed_table, comparison_table
    from gemel.report.rendering import write_page
    from gemel.report.sides import find, read_side, read_words

    with TemporaryDirectory() as copies:
        places = [find(name, Path(copies) / label) for name, label in ((a, "a"), (b, "b"))]
        sides = [read_side(place) for place in places]
        graded = sides[0].evaluation.predictions["mention_id"].unique().to_list()
        words = read_words([*(place.beside for place in places), ARTIFACTS], graded)
    found = compare(sides[0], sides[1], words)
    if html is not None:
        write_page(html, comparison_page(found))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
        return
    out.print(comparison_table(found))
    for outcome in ("fixed", "broken"):
        if found.of(outcome):
            out.print(changed_table(found, outcome))
