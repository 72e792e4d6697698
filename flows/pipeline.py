"""The stages of dvc.yaml as a Prefect flow, one task a stage: `python -m flows.pipeline [--force]`.

DVC stays the judge of what is out of date; the flow adds logs, retries and the result table in Prefect's page. Which
stages there are and their order is read from dvc.yaml.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage
from networkx import dfs_postorder_nodes
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from gemel.core.errors import ConfigError, GemelError
from gemel.report.result_table import result_table
from gemel.stages import METRICS

ROOT = Path(__file__).resolve().parents[1]
LAST_LINES = 20


class StageError(GemelError):
    """A stage of the pipeline failed."""


@flow(name="pipeline")
def pipeline(
    root: Path = ROOT, force: bool = False, retries: int = 1, retry_delay_seconds: float = 10
) -> tuple[str, ...]:
    """Bring every stage up to date, in order, and show the result table.

    root: the folder of dvc.yaml. force: run stages that are up to date, too. retries: of each stage that fails.
    Returns: the names of the stages, in the order in which they ran or were found up to date.
    Raises: ConfigError if there is no readable dvc.yaml; StageError if a stage fails, after its retries.
    """
    stages = stages_in_order(root)
    for stage in stages:
        reproduce.with_options(
            name=stage, task_run_name=stage, retries=retries, retry_delay_seconds=retry_delay_seconds
        )(stage, root, force)
    if (root / METRICS).is_file():
        metrics = json.loads((root / METRICS).read_text(encoding="utf-8"))
        create_markdown_artifact(result_markdown(metrics), key="result-table", description="The last evaluation")
    return stages


# DVC decides what has to run: a result of Prefect's cache would be a second opinion.
@task(cache_policy=NO_CACHE)
def reproduce(stage: str, root: Path, force: bool = False) -> None:
    """Run `dvc repro --single-item` for one stage; its output goes to the run's log line by line.

    Raises: StageError with the stage's last lines if it fails.
    """
    logger = get_run_logger()
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", *(["--force"] if force else []), stage]
    tail: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        command, cwd=root, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            for line in _lines(process):
                logger.info(line)
                tail.append(line)
        except BaseException:
            # A cancelled run must not leave a stage behind that goes on writing.
            process.terminate()
            raise
    if process.returncode:
        last = "\n".join(tail)
        raise StageError(f"stage {stage!r} failed with exit status {process.returncode}; its last lines:\n{last}")


def stages_in_order(root: Path) -> tuple[str, ...]:
    """Names of the stages of a folder's dvc.yaml, each after all that it depends on.

    Raises: ConfigError if the file is missing or DVC can't read it.
    """
    path = (root / "dvc.yaml").resolve()
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; run from a checkout of the project, where dvc.yaml lies")
    try:
        with Repo(str(root)) as repo:
            nodes = dfs_postorder_nodes(repo.index.graph)
            return tuple(
                node.name for node in nodes if isinstance(node, PipelineStage) and Path(node.path).resolve() == path
            )
    except DvcException as error:
        raise ConfigError(f"{path}: DVC can't read it: {error}") from error


def result_markdown(metrics: dict[str, Any]) -> str:
    """The result table of metrics.json as Markdown, with the same rows and words as `gemel report`."""
    table = result_table(metrics)
    headers = [str(column.header) for column in table.columns]
    rows = [headers, ["---"] * len(headers), *zip(*(column.cells for column in table.columns), strict=True)]
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([f"## {table.title}", "", *lines, "", str(table.caption)])


def main() -> None:
    """Run the flow from the command line; an error that is meant for people becomes one sentence and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description="Bring every DVC stage up to date.")
    parser.add_argument("--force", action="store_true", help="run stages that are up to date, too")
    parser.add_argument("--retries", type=int, default=1, help="of each stage that fails (default: 1)")
    arguments = parser.parse_args()
    try:
        pipeline(force=arguments.force, retries=arguments.retries)
    except GemelError as error:
        sys.exit(f"error: {error}")


def _environment() -> dict[str, str]:
    """This process's environment, with its own Python first: the stages call `python`, activated or not."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    return {**os.environ, "PATH": os.pathsep.join(folders), "PYTHONUNBUFFERED": "1"}


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """The lines that a process writes; of a progress bar that redraws itself, the last state."""
    assert process.stdout is not None
    for line in io.TextIOWrapper(process.stdout, encoding="utf-8", errors="replace", newline="\n"):
        if shown := line.rstrip().rsplit("\r", 1)[-1].rstrip():
            yield shown


if __name__ == "__main__":
    main()
