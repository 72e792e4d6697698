"""What a run shows on Prefect's page: results, the data's checks, the time of each stage, plots."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect import get_run_logger
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact

from flows.commands import DVC, CommandError, read_output
from gemel.posts.expectations import VALIDATION
from gemel.report.result_table import result_table
from gemel.stages import METRICS, POSTS
from gemel.stages.posts import FAILED

# Left by the stage `posts` where its checks stopped the data.
STOPPED = FAILED / VALIDATION


def show_run(root: Path, seconds: Mapping[str, float], *, plots: bool = True) -> None:
    """Show what a run made, or how far it came. seconds: of each stage that ended."""
    if seconds:
        rows = [{"stage": stage, "seconds": round(taken, 1)} for stage, taken in seconds.items()]
        create_table_artifact(rows, key="stage-timings", description="Seconds of each stage, DVC's own included")
    stopped = _newer(root / STOPPED, root / POSTS / VALIDATION)
    if stopped is not None:
        found = json.loads(stopped.read_text(encoding="utf-8"))
        create_markdown_artifact(checks_markdown(found), key="validation", description="What the checks found")
    if "evaluation" not in seconds or not (root / METRICS).is_file():
        return
    metrics = json.loads((root / METRICS).read_text(encoding="utf-8"))
    create_markdown_artifact(result_markdown(metrics), key="result-table", description="The last evaluation")
    if plots:
        _show_plots(root)


def result_markdown(metrics: dict[str, Any]) -> str:
    """The result table of metrics.json as Markdown, with the same rows and words as `gemel report`."""
    table = result_table(metrics)
    headers = [str(column.header) for column in table.columns]
    rows = [headers, ["---"] * len(headers), *zip(*(column.cells for column in table.columns), strict=True)]
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([f"## {table.title}", "", *lines, "", str(table.caption)])


def checks_markdown(validation: Mapping[str, Any]) -> str:
    """The checks of validation.json as Markdown, those that failed first."""
    checks = sorted(validation["checks"], key=lambda check: check["success"])
    failed = [check for check in checks if not check["success"]]
    rows = [
        f"| {_verdict(check)} | {check['name']} | {check['description']} | {check['unexpected']} of {check['rows']} |"
        for check in checks
    ]
    title = f"## {len(checks)} checks, {len(failed) or 'none'} failed"
    return "\n".join([title, "", "| | check | | rows that break it |", "| --- | --- | --- | --- |", *rows])


def _verdict(check: Mapping[str, Any]) -> str:
    return "passed" if check["success"] else f"**{check['severity']}**"


def _newer(first: Path, second: Path) -> Path | None:
    """The newer of two files; None if neither is there."""
    return max(
        (path for path in (first, second) if path.is_file()), key=lambda path: path.stat().st_mtime, default=None
    )


def _show_plots(root: Path) -> None:
    """The plots of dvc.yaml as pictures. One that can't be drawn is told, and no reason to fail."""
    import vl_convert

    described = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8")).get("plots", ())
    for name in [name for entry in described for name in entry]:
        try:
            drawn = json.loads(read_output([*DVC, "plots", "show", name, "--show-vega"], root))
            png = vl_convert.vegalite_to_png(drawn, scale=1.5)
        except (CommandError, ValueError) as error:
            get_run_logger().warning(f"the plot {name} can't be drawn: {error}")
            continue
        url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        create_image_artifact(url, key=f"plot-{name.replace('_', '-')}", description=f"`dvc plots show {name}`")
