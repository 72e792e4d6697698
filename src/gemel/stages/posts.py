"""Stage `posts`: a data set becomes checked tables."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gemel.core.artifacts import new_artifact
from gemel.core.config import PARAMS, parse_section, read_params
from gemel.core.errors import ConfigError, DataError
from gemel.core.image_archive import open_images
from gemel.core.settings import ImagesSettings
from gemel.entities.catalog import NamingReport, unique_names
from gemel.posts.dataset import RawDataset, read_dataset
from gemel.posts.expectations import ValidationReport, validate_tables
from gemel.posts.image_vectors import ImageVectors
from gemel.posts.tables import build_tables, table_facts
from gemel.stages import DATA, POSTS

FAILED = Path("artifacts/.failed/posts")
Share = Annotated[float, Field(ge=0.0, le=1.0)]


@dataclass(frozen=True)
class PostsSettings:
    """How much may be wrong with a data set.

    max_rejected_share: of all rows; beyond it the stage fails. min_image_share: of the images that posts name, those
    that must be readable; min_in_kb_share: of the gold entities, those that must be in the catalog; falling short of
    these two is a warning.
    """

    max_rejected_share: Share = 0.01
    min_image_share: Share = 0.9
    min_in_kb_share: Share = 0.9


def main() -> None:
    """Read `data/<dataset>`, check it and write the artifact `posts`.

    Raises: ConfigError or DataError; the tables and Data Docs of a run that failed its checks lie in FAILED then.
    """
    params = read_params()
    settings = parse_section(params.get("posts"), "posts", PostsSettings)
    folder = DATA / _dataset_name(params.get("dataset"))
    root = parse_section(params.get("images"), "images", ImagesSettings).root
    dataset = read_dataset(folder, open_images(folder, root), ImageVectors(folder).of_images)
    naming = unique_names(dataset.entities)
    tables = build_tables(dataset, naming.entities)
    facts = {
        "dataset": dataset.name,
        "names_by": dict(naming.rungs),
        "redirected_mentions": dataset.redirected_mentions,
        **table_facts(tables),
    }
    with new_artifact(POSTS, "posts", facts) as draft:
        tables.write(draft)
        report = validate_tables(
            tables, draft, min_image_share=settings.min_image_share, min_in_kb_share=settings.min_in_kb_share
        )
        facts["warnings"] = [result.name for result in report.failed("warning")]
        Console().print(_naming_table(naming), _results_table(report))
        _refuse(folder, draft, _complaints(report, dataset, settings.max_rejected_share))
    shutil.rmtree(FAILED, ignore_errors=True)


def _dataset_name(name: object) -> str:
    if not isinstance(name, str) or not name or name.startswith(".") or Path(name).name != name:
        raise ConfigError(f"{PARAMS}: dataset: expected the name of a folder in {DATA}/, found {name!r}")
    return name


def _complaints(report: ValidationReport, dataset: RawDataset, max_rejected_share: float) -> list[str]:
    complaints = [report.complaint()] if report.failed("critical") else []
    rows, rejected = sum(dataset.rows_in.values()), dataset.rejected
    if len(rejected) > max_rejected_share * rows:
        first = rejected[0]
        complaints.append(
            f"{len(rejected)} of {rows} rows rejected, more than posts.max_rejected_share {max_rejected_share:.2%}, "
            f"the first at {first.source} line {first.line}: {first.reason}"
        )
    return complaints


def _refuse(folder: Path, draft: Path, complaints: list[str]) -> None:
    if not complaints:
        return
    shutil.rmtree(FAILED, ignore_errors=True)
    shutil.copytree(draft, FAILED)
    raise DataError(
        f"{folder}: {'; '.join(complaints)}. Open {FAILED}/data_docs/index.html for the checks, and "
        f"{FAILED}/rejected.parquet for the rejected rows; {POSTS} stays as it was"
    )


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
