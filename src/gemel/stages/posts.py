"""Stage `posts`: a data set becomes checked tables."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gemel.core.artifacts import new_artifact
from gemel.core.config import parse_section, read_params
from gemel.core.errors import DataError
from gemel.core.image_archive import open_images
from gemel.core.settings import ImagesSettings
from gemel.entities.catalog import NamingReport, unique_names
from gemel.posts.acceptance import accepted_file, read_accepted
from gemel.posts.checks import DRIFT_CHECKS, Limits
from gemel.posts.dataset import read_dataset, read_facts
from gemel.posts.expectations import ValidationReport, validate_tables
from gemel.posts.image_vectors import ImageVectors
from gemel.posts.tables import build_tables, table_facts
from gemel.stages import DATA, POSTS
from gemel.stages.dataset import dataset_in_use

FAILED = Path("artifacts/.failed/posts")
ACCEPTED = Path("conf/accepted")  # the profile of each data set's accepted version; committed


def main() -> None:
    """Read `data/<dataset>`, check it and write the artifact `posts`.

    Raises: ConfigError or DataError; the tables and Data Docs of a run that failed its checks lie in FAILED then.
    """
    params = read_params()
    limits = parse_section(params.get("posts"), "posts", Limits)
    root = parse_section(params.get("images"), "images", ImagesSettings).root
    name = dataset_in_use(params)
    accepted = read_accepted(ACCEPTED, name)
    folder = DATA / name
    dataset = read_dataset(folder, open_images(folder, root), ImageVectors(folder).of_images)
    naming = unique_names(dataset.entities)
    tables = build_tables(dataset, naming.entities)
    stated = read_facts(folder)
    facts = {
        "dataset": dataset.name,
        "source": str(stated.get("source", "")),
        "split_by": str(stated.get("split_by", "posts.jsonl")),
        "names_by": dict(naming.rungs),
        "redirected_mentions": dataset.redirected_mentions,
        **table_facts(tables),
    }
    with new_artifact(POSTS, "posts", facts) as draft:
        tables.write(draft)
        report = validate_tables(tables, draft, dataset=name, rows_in=dataset.rows_in, accepted=accepted, limits=limits)
        facts["warnings"] = [result.name for result in report.failed("warning")]
        _show(naming, report, name, compared=accepted is not None)
        _refuse(name, draft, report)
    shutil.rmtree(FAILED, ignore_errors=True)


def _refuse(name: str, draft: Path, report: ValidationReport) -> None:
    failed = {result.name for result in report.failed("critical")}
    if not failed:
        return
    shutil.rmtree(FAILED, ignore_errors=True)
    shutil.copytree(draft, FAILED)
    way_on = f"; if this change is meant, {_how_to_accept(name)}" if failed <= {*DRIFT_CHECKS} else ""
    raise DataError(
        f"{DATA / name}: {report.complaint()}. Open {FAILED}/data_docs/index.html for the checks, and "
        f"{FAILED}/rejected.parquet for the rejected rows{way_on}"
    )


def _how_to_accept(name: str) -> str:
    return f'run `gemel accept --reason "…"` and commit {accepted_file(ACCEPTED, name)}'


def _show(naming: NamingReport, report: ValidationReport, name: str, *, compared: bool) -> None:
    console = Console()
    console.print(_naming_table(naming), _results_table(report))
    if not compared:
        words = f"Not compared with a former version: none of {name} was accepted yet; {_how_to_accept(name)}."
        console.print(escape(words), highlight=False, soft_wrap=True)


def _naming_table(naming: NamingReport) -> Table:
    table = Table("name is", "entities", "share", title="Names of the entities")
    for rung, count in naming.rungs.items():
        table.add_row(rung, str(count), f"{count / len(naming.entities):.1%}")
    return table


def _results_table(report: ValidationReport) -> Table:
    table = Table("check", "severity", "result", "unexpected", title="Checks of the tables")
    for result in report.results:
        colour = "red" if result.severity == "critical" else "yellow"
        word = "[green]passed[/]" if result.success else f"[{colour}]failed[/]"
        unexpected = f"{result.unexpected} of {result.rows}"
        table.add_row(escape(result.name), result.severity, word, unexpected)
    return table


if __name__ == "__main__":
    main()
