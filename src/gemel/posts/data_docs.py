"""The Data Docs of a validation: pages of Great Expectations that open offline and don't change by themselves.

As they come, the pages load styles and scripts from five other hosts, show nothing without them, and hold the time and
random ids. Here they get a small style of their own instead, and a policy that forbids them to load anything.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gemel.posts.drift import Movement

POLICY = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0; }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .7rem; text-align: left; vertical-align: top; }
.alert-secondary { background: #eef1f4; padding: .5rem .8rem; margin-top: 1.2rem; }
.badge { background: #e4e8ec; border-radius: 3px; padding: 0 .3rem; font-family: monospace; }
.text-danger, .failed { color: #b00020; } .text-success, .passed { color: #1b7a34; } .warned { color: #9a6700; }
.fa-times::before { content: "✗"; } .fa-check-circle::before { content: "✓"; }
.fa-exclamation-triangle::before { content: "!"; }
ol, ul { list-style: none; padding: 0; } nav li { display: inline-block; margin-right: 1rem; }
.card:has(.btn-group), a[data-toggle="collapse"], thead[hidden] { display: none; }
</style>"""
REMOVED = (
    re.compile(r"<(script|style|footer|title)\b.*?</\1>", re.DOTALL | re.IGNORECASE),
    re.compile(r"<(link|img)\b[^>]*>", re.IGNORECASE),
)
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# Parts of a result's meta that differ from run to run.
FLEETING = ("batch_markers", "validation_id", "checkpoint_id", "validation_time")


def write_data_docs(
    folder: Path, outcomes: Mapping[str, Any], checks: Sequence[Mapping[str, Any]], movements: Sequence[Movement]
) -> None:
    """Write one page a table and `index.html`, which lists all checks and how each feature moved.

    outcomes: the ExpectationSuiteValidationResult of each table. checks: the fields of each CheckResult. movements:
    from the accepted version; empty without one.
    """
    folder.mkdir()
    for table, outcome in outcomes.items():
        (folder / f"{table}.html").write_text(_table_page(table, outcome), encoding="utf-8")
    (folder / "index.html").write_text(_index_page(checks, movements), encoding="utf-8")


def _table_page(table: str, outcome: Any) -> str:
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    for key in FLEETING:
        outcome.meta.pop(key, None)
    outcome.meta["run_id"] = {"run_name": table, "run_time": "-"}
    for result in outcome.results:
        result.result = _escaped(result.result)
    return _offline(DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(outcome)), table)


def _escaped(value: Any) -> Any:
    """Escape all strings in a result: Great Expectations puts the data's own text into its pages as it is."""
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, dict):
        return {key: _escaped(part) for key, part in value.items()}
    return type(value)(map(_escaped, value)) if isinstance(value, (list, tuple)) else value


def _offline(page: str, table: str) -> str:
    for pattern in REMOVED:
        page = pattern.sub("", page)
    page = re.sub(r'href="[^"#]*index\.html"', 'href="index.html"', page)
    page = re.sub(r'href="[^"#]*expectations/[^"]*"', 'href="#"', page)
    numbers = itertools.count(1)
    known: dict[str, str] = {}
    page = UUID.sub(lambda match: known.setdefault(match[0], f"part-{next(numbers)}"), page)
    return page.replace("<head>", f"<head>{POLICY}<title>Checks of {table}</title>{STYLE}", 1)


def _index_page(checks: Sequence[Mapping[str, Any]], movements: Sequence[Movement]) -> str:
    rows = "\n".join(_row(check) for check in sorted(checks, key=_urgency))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>{POLICY}<meta charset="UTF-8"><title>Checks of the data set</title>{STYLE}</head>
<body><h1>Checks of the data set</h1>
<table>
<tr><th>Result</th><th>Severity</th><th>Table</th><th>Check</th><th>Unexpected</th><th>First examples</th></tr>
{rows}
</table>
{_comparison(movements)}</body></html>
"""


def _comparison(movements: Sequence[Movement]) -> str:
    if not movements:
        return "<p>Not compared with an accepted version: there is none.</p>"
    rows = "\n".join(
        f"<tr><td>{html.escape(movement.feature)}</td><td>{'' if movement.distance is None else movement.distance}</td>"
        f"<td>{html.escape(movement.moved)}</td></tr>"
        for movement in movements
    )
    return f"""<h2>Compared with the accepted version</h2>
<table>
<tr><th>Feature</th><th>Distance, 0 to 1</th><th>From → to</th></tr>
{rows}
</table>"""


def _urgency(check: Mapping[str, Any]) -> int:
    return 2 if check["success"] else ("critical", "warning").index(check["severity"])


def _row(check: Mapping[str, Any]) -> str:
    style = "passed" if check["success"] else {"critical": "failed", "warning": "warned"}[check["severity"]]
    table = html.escape(check["table"])
    share = check["unexpected"] / check["rows"] if check["rows"] else 0.0
    cells = (
        f'<span class="{style}">{"passed" if check["success"] else "failed"}</span>',
        html.escape(check["severity"]),
        f'<a href="{table}.html">{table}</a>',
        f"<b>{html.escape(check['name'])}</b><br>{html.escape(check['description'])}",
        f"{check['unexpected']} of {check['rows']}" + (f" ({share:.1%})" if share else ""),
        "<br>".join(html.escape(example) for example in check["examples"]),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
