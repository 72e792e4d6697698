"""The report as one HTML page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemel.monitoring.drift import Finding
from gemel.monitoring.features import Share
from gemel.monitoring.report import Report
from gemel.report.charts import Chart, line_chart
from gemel.report.rendering import render

# Of a bar's width; beyond its end distances are cut off.
FULL_BAR_THRESHOLDS = 3.0


@dataclass(frozen=True)
class Shown:
    """A finding as the page draws it. filled, marked: of the bar, 0 to 100: the distance and its threshold."""

    finding: Finding
    filled: float
    marked: float
    chart: Chart | None


@dataclass(frozen=True)
class Former:
    """What an earlier report said. start: of its period, ISO 8601. corrected: mentions, of those with feedback."""

    start: str
    name: str
    headline: str
    answers: int
    corrected: Share


def page(report: Report, former: Sequence[Former] = ()) -> str:
    """Make the page. former: earlier reports, the latest first."""
    return render(
        "monitoring.html",
        [],
        {},
        title=f"gemel: monitoring, {report.name}",
        report=report,
        former=former,
        shown=[_shown(each) for each in report.findings],
    )


def _shown(finding: Finding) -> Shown:
    distance, threshold = finding.distance or 0.0, finding.threshold or 1.0
    filled = min(1.0, distance / threshold / FULL_BAR_THRESHOLDS)
    return Shown(finding, round(100 * filled, 1), round(100 / FULL_BAR_THRESHOLDS, 1), _chart(finding))


def _chart(finding: Finding) -> Chart | None:
    if (curve := finding.curve) is None:
        return None
    before, after = (list(zip(curve.values, side, strict=True)) for side in (curve.before, curve.after))
    return line_chart(
        f"{finding.title}: share up to a value", [("training data", False, before), ("period", True, after)]
    )
