"""A report's files: `.gemel/monitoring/<report>/report.json`, `.md` and `.html`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from gemel.monitoring.alarm import FOLDER
from gemel.monitoring.drift import Finding
from gemel.monitoring.features import Share
from gemel.monitoring.page import Former, page
from gemel.monitoring.report import Report
from gemel.text_folder import write_texts

FORMAT = 1
JSON, MARKDOWN, PAGE = "report.json", "report.md", "report.html"
MOST_FORMER = 12


def write_report(root: Path, report: Report) -> Path:
    """Write a report as JSON, Markdown and HTML, whole or not at all, in place of a former one on the same period.

    Returns: its folder, of the report's name.
    Raises: GemelError if it can't be written.
    """
    folder = root / FOLDER / report.name
    texts = {JSON: json.dumps(as_json(report), ensure_ascii=False, indent=1) + "\n"}
    texts |= {MARKDOWN: markdown(report), PAGE: page(report, former_reports(root, report))}
    write_texts(folder, texts)
    return folder


def former_reports(root: Path, report: Report) -> tuple[Former, ...]:
    """The last reports on periods that began before that of this one, the latest first; one can be damaged."""
    # Those with a dot are drafts.
    found = [_former(path) for path in (root / FOLDER).glob(f"[!.]*/{JSON}") if path.parent.name != report.name]
    start = report.period.start.isoformat()
    earlier = sorted((each for each in found if each.start < start), key=lambda each: each.start, reverse=True)
    return tuple(earlier[:MOST_FORMER])


def _former(path: Path) -> Former:
    name = path.parent.name
    try:
        content = json.loads(path.read_bytes())
        said = content["feedback"] or {"mentions": 0, "wrong": 0}
        share = Share(said["wrong"], said["mentions"])
        return Former(str(content["period"]["start"]), name, content["headline"], content["answers"], share)
    except (OSError, ValueError, KeyError, TypeError):
        return Former("", name, "this report can't be read", 0, Share(0, 0))


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON takes it."""
    found = dataclasses.asdict(report) | {"format": FORMAT, "name": report.name, "headline": report.headline}
    found["period"] = {"start": report.period.start.isoformat(), "until": report.period.until.isoformat()}
    found["made"] = report.made.isoformat(timespec="seconds")
    return found


def markdown(report: Report) -> str:
    """The report for people, without the curves."""
    start, until = report.period.start, report.period.until
    rows = [[each.title, each.words, *_figures(each), each.verdict] for each in report.findings]
    head = ["", "training data → period", "distance", "threshold", "p", "verdict"]
    lines = [f"# Monitoring, {report.name}", "", f"**{report.headline[:1].upper()}{report.headline[1:]}.**", ""]
    lines += [f"{start:%Y-%m-%d %H:%M} until {until:%Y-%m-%d %H:%M} UTC: {report.extent}.", ""]
    lines += [_line(cells) for cells in (head, ["---"] * len(head), *rows)]
    lines += ["", f"- {report.promise}", *(f"- {note}" for note in report.notes), ""]
    return "\n".join(lines)


def _figures(finding: Finding) -> list[str]:
    if finding.distance is None or finding.p is None:
        return ["", "", ""]
    return [f"{finding.distance:.3f}", f"{finding.threshold:.3f}", f"{finding.p:.2g}"]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
