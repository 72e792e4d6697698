"""`gemel report`: what an evaluation found."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.markup import escape

from gemel.console import out
from gemel.core.errors import RequestError
from gemel.stages import METRICS

ARTIFACTS = METRICS.parents[1]


def report(
    metrics: Annotated[Path, typer.Argument(help="metrics.json")] = METRICS,
    html: Annotated[Path | None, typer.Option(help="write a page that opens offline, with all errors")] = None,
    run: Annotated[
        Path, typer.Option(help="the run's folder: its artifacts, or the checkout that has them")
    ] = ARTIFACTS,
    compare: Annotated[
        tuple[str, str] | None, typer.Option(help="two runs: folders, or DVC revisions or experiments", metavar="A B")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="with --compare: print one JSON object")] = False,
) -> None:
    """Print the result table of the last evaluation, write its page, or compare two runs."""
    if as_json and compare is None:
        raise RequestError("--json belongs to --compare A B; metrics.json is JSON already")
    if compare is not None:
        _compare(*compare, html, as_json)
    elif html is not None:
        _write_page(run, html)
    else:
        _show(metrics)


def _show(metrics: Path) -> None:
    from gemel.report.result_table import result_table

    if not metrics.is_file():
        raise RequestError(f"{metrics}: no such file; run `dvc repro` first")
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
