"""What must hold of the tables, checked with Great Expectations."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from gemel.core.errors import DataError
from gemel.posts.checks import Check, Severity, all_checks
from gemel.posts.data_docs import write_data_docs
from gemel.posts.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

VALIDATION, DATA_DOCS = "validation.json", "data_docs"
KEYS = {"posts": "post_id", "mentions": "mention_id", "entities": "entity_id"}
MOST_EXAMPLES = 5
LONGEST_EXAMPLE = 80


@dataclass(frozen=True)
class CheckResult:
    """How a check came out.

    unexpected: rows that break it, of `rows` that it applies to. A warning check may allow some of them.
    examples: the first of them, as "key value".
    """

    name: str
    table: str
    severity: Severity
    description: str
    success: bool
    unexpected: int
    rows: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class ValidationReport:
    """The results of all checks, in the order of all_checks."""

    results: tuple[CheckResult, ...]

    def failed(self, severity: Severity) -> tuple[CheckResult, ...]:
        """The checks of one severity that failed."""
        return tuple(result for result in self.results if result.severity == severity and not result.success)

    def complaint(self) -> str:
        """Each failed critical check in words: its name, what it wants, how many rows break it, the first of them."""
        return "; ".join(
            f"{result.name} ({result.description}): {result.unexpected} of {result.rows} rows of {result.table}"
            + (f", e.g. {', '.join(result.examples)}" if result.examples else "")
            for result in self.failed("critical")
        )


def validate_tables(
    tables: Tables, folder: Path, *, min_image_share: float, min_in_kb_share: float
) -> ValidationReport:
    """Check the tables and write `validation.json` and the Data Docs into the folder; equal tables, equal bytes.

    Returns: all results; whoever calls decides what a failure means.
    Raises: DataError if a check could not be evaluated, or Great Expectations left one out.
    """
    checks = all_checks(min_image_share=min_image_share, min_in_kb_share=min_in_kb_share)
    frames = {
        "posts": _posts_frame(tables.posts),
        "mentions": _mentions_frame(tables.mentions, tables.posts),
        "entities": tables.entities.select("entity_id", "name"),
    }
    outcomes = {
        table: _run(table, frame.to_pandas(), [check for check in checks if check.table == table])
        for table, frame in frames.items()
    }
    report = ValidationReport(tuple(result for table in frames for result in _results(table, outcomes[table], checks)))
    listed = [dataclasses.asdict(result) for result in report.results]
    content = json.dumps({"checks": listed}, indent=1, ensure_ascii=False)
    (folder / VALIDATION).write_text(content + "\n", encoding="utf-8")
    write_data_docs(folder / DATA_DOCS, outcomes, listed)
    return report


def _posts_frame(posts: pl.DataFrame) -> pl.DataFrame:
    status = pl.col("image_status")
    return posts.select(
        "post_id", "text", "split", "image_status", image_of_post=pl.when(status != "none").then(status)
    )


def _mentions_frame(mentions: pl.DataFrame, posts: pl.DataFrame) -> pl.DataFrame:
    """Mentions with what the checks look at: the text that the span covers, and what other rows say."""
    start, end = pl.col("start"), pl.col("end")
    yes, no = pl.lit("yes"), pl.lit("no")
    return mentions.select(
        "mention_id",
        "mention",
        "split",
        covered=pl.when(start.is_not_null()).then(pl.col("text").str.slice(start, end - start)),
        post_known=pl.when(pl.col("post_id").is_in(posts["post_id"].implode())).then(yes).otherwise(no),
        entity_known=pl.when(pl.col("entity_id").is_not_null()).then(pl.when("in_kb").then(yes).otherwise(no)),
        splits_with_it=pl.col("split").n_unique().over("text", "mention"),
    )


def _run(table: str, frame: pd.DataFrame, checks: Sequence[Check]) -> Any:
    """Evaluate the checks of one table; returns the ExpectationSuiteValidationResult."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read by Great Expectations on import
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("tables")
    batch = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite(name=table))
    for check in checks:
        expectation = getattr(gx.expectations, check.expectation)
        suite.add_expectation(
            expectation(
                severity=check.severity, description=check.description, meta={"check": check.name}, **check.arguments
            )
        )
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=table, data=batch, suite=suite))
    shown = {
        "result_format": "SUMMARY",
        "unexpected_index_column_names": [KEYS[table]],
        "partial_unexpected_count": MOST_EXAMPLES,
    }
    return definition.run(batch_parameters={"dataframe": frame}, result_format=shown)


def _results(table: str, outcome: Any, checks: Sequence[Check]) -> list[CheckResult]:
    """The results of one table in the order of its checks.

    Raises: DataError if one is lacking: Great Expectations can drop an expectation and still report success.
    """
    by_name = {result.expectation_config.meta["check"]: result for result in outcome.results}
    wanted = [check for check in checks if check.table == table]
    if outcome.statistics["evaluated_expectations"] != len(wanted) or set(by_name) != {c.name for c in wanted}:
        lacking = sorted({check.name for check in wanted} - set(by_name))
        raise DataError(f"{table}: {len(by_name)} of {len(wanted)} checks were evaluated, lacking {lacking}")
    return [_result(check, by_name[check.name]) for check in wanted]


def _result(check: Check, outcome: Any) -> CheckResult:
    details = outcome.result
    if "element_count" not in details and "observed_value" not in details:
        raise DataError(f"{check.table}: check {check.name} could not be evaluated: {outcome.exception_info}")
    # The check of a table's row count has no rows of its own that could break it, only the count.
    rows = details.get("observed_value", details.get("element_count", 0) - details.get("missing_count", 0))
    examples = [_example(row, KEYS[check.table]) for row in details.get("partial_unexpected_index_list") or ()]
    return CheckResult(
        name=check.name,
        table=check.table,
        severity=check.severity,
        description=check.description,
        success=bool(outcome.success),
        unexpected=int(details.get("unexpected_count", 0)),
        rows=int(rows),
        examples=tuple(examples[:MOST_EXAMPLES]),
    )


def _example(row: Mapping[str, Any], key: str) -> str:
    others = (value for column, value in row.items() if column != key)
    values = [str(row[key]), *(repr(value) if isinstance(value, str) else str(value) for value in others)]
    return " ".join(value if len(value) <= LONGEST_EXAMPLE else f"{value[:LONGEST_EXAMPLE]}…" for value in values)
