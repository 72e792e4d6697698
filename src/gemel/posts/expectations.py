"""The gate of a data set: its checks, evaluated with Great Expectations."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gemel.core.errors import DataError
from gemel.posts.checks import Check, Limits, Severity, all_checks
from gemel.posts.data_docs import write_data_docs
from gemel.posts.drift import Movement, compare
from gemel.posts.frames import (
    KEYS,
    columns_frame,
    features_frame,
    mentions_frame,
    posts_frame,
    sources_frame,
    splits_frame,
    usual,
)
from gemel.posts.languages import sample_languages
from gemel.posts.profile import PROFILE, Profile, build_profile
from gemel.posts.tables import Tables

VALIDATION, CHECKS, DATA_DOCS = "validation.json", "checks.json", "data_docs"
MOST_EXAMPLES = 5
LONGEST_EXAMPLE = 120


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

    @property
    def share(self) -> float:
        """The share of the rows that break it; 0 where there are none."""
        return self.unexpected / self.rows if self.rows else 0.0


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
            f"{result.name} ({result.description}): {result.unexpected} of {result.rows} {result.table}"
            + (f", e.g. {', '.join(result.examples)}" if result.examples else "")
            for result in self.failed("critical")
        )

    def metrics(self) -> dict[str, dict[str, float | bool]]:
        """Of each check, by name: the share of the rows that break it, and whether it passed."""
        return {
            result.name: {"unexpected_share": round(result.share, 6), "passed": result.success}
            for result in self.results
        }


def validate_tables(
    tables: Tables, folder: Path, *, dataset: str, rows_in: Mapping[str, int], accepted: Profile | None, limits: Limits
) -> ValidationReport:
    """Check a data set; equal tables, equal bytes.

    folder: where the tables were written; the profile, `validation.json`, `checks.json` and the Data Docs go there.
    dataset: its folder in data/. rows_in: rows that the reader met, by source. accepted: the profile of the version to
    compare with; without it nothing is compared.
    Returns: all results; whoever calls decides what a failure means.
    Raises: DataError if a check could not be evaluated, or Great Expectations left one out.
    """
    languages = sample_languages(tables.posts)
    profile = build_profile(dataset, tables, languages)
    profile.write(folder / PROFILE)
    movements = compare(accepted, profile) if accepted else ()
    frames = {
        "columns": columns_frame(folder),
        "sources": sources_frame(folder, rows_in),
        "splits": splits_frame(tables.mentions),
        "posts": posts_frame(tables.posts, languages),
        "mentions": mentions_frame(tables),
        "entities": tables.entities.select("entity_id", "name"),
        **({"features": features_frame(movements)} if accepted else {}),
    }
    checks = all_checks(limits, usual(frames["posts"]), with_drift=accepted is not None)
    context = _new_context()
    outcomes = {
        table: _run(context, table, frame, [check for check in checks if check.table == table])
        for table, frame in frames.items()
    }
    report = ValidationReport(tuple(result for table in frames for result in _results(table, outcomes[table], checks)))
    listed = [dataclasses.asdict(result) for result in report.results]
    _write_json(folder / VALIDATION, {"checks": listed})
    _write_json(folder / CHECKS, report.metrics() | {"drift": _distances(movements)})
    write_data_docs(folder / DATA_DOCS, outcomes, listed, movements)
    return report


def failed_checks(folder: Path) -> list[str]:
    """Names of the failed critical checks in what validate_tables wrote into a folder."""
    listed = json.loads((folder / VALIDATION).read_text(encoding="utf-8"))["checks"]
    return [check["name"] for check in listed if check["severity"] == "critical" and not check["success"]]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _distances(movements: Iterable[Movement]) -> dict[str, float]:
    return {movement.feature: movement.distance for movement in movements if movement.distance is not None}


def _new_context() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read by Great Expectations on import
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    context.data_sources.add_pandas("tables")
    return context


def _run(context: Any, table: str, frame: pl.DataFrame, checks: Sequence[Check]) -> Any:
    """Evaluate the checks of one frame; returns the ExpectationSuiteValidationResult."""
    import great_expectations as gx

    asset = context.data_sources.get("tables").add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite(name=table))
    for check in checks:
        expectation = getattr(gx.expectations, check.expectation)
        suite.add_expectation(
            expectation(
                severity=check.severity, description=check.description, meta={"check": check.name}, **check.arguments
            )
        )
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=table, data=batch, suite=suite))
    shown = {"result_format": "SUMMARY", "partial_unexpected_count": MOST_EXAMPLES}
    outcome = definition.run(batch_parameters={"dataframe": frame.to_pandas()}, result_format=shown)
    by_name = {check.name: check for check in checks}
    for result in outcome.results:
        _name_rows(result.result, frame, table, by_name[result.expectation_config.meta["check"]])
    return outcome


def _name_rows(result: dict[str, Any], frame: pl.DataFrame, table: str, check: Check) -> None:
    """Put the keys and values of unexpected rows where Great Expectations put their places.

    It can do so itself, but looks up every unexpected row for the few that are shown: minutes for a million.
    """
    places = result.get("partial_unexpected_index_list")
    if places:
        looked_at = [check.arguments[name] for name in ("column", "column_A", "column_B") if name in check.arguments]
        columns = dict.fromkeys((*looked_at, *KEYS[table]))
        result["partial_unexpected_index_list"] = frame[places[:MOST_EXAMPLES]].select(*columns).to_dicts()
        result["unexpected_index_column_names"] = list(KEYS[table])


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


def _example(row: Mapping[str, Any], keys: Sequence[str]) -> str:
    others = [value for column, value in row.items() if column not in keys]
    shown = [repr(value) if isinstance(value, str) else str(value) for value in others]
    values = [str(row[keys[0]]), *shown, *(str(row[key]) for key in keys[1:] if row[key])]
    return " ".join(value if len(value) <= LONGEST_EXAMPLE else f"{value[:LONGEST_EXAMPLE]}…" for value in values)
