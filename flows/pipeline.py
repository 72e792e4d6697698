"""The stages of dvc.yaml as a Prefect flow, one task a stage: `python -m flows.pipeline [--force]`.

DVC stays the judge of what is out of date; the flow adds logs, retries, timings and what flows.shown puts on Prefect's
page. Which stages there are and their order is read from dvc.yaml.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage
from networkx import dfs_postorder_nodes
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.command_line import errors_in_a_sentence
from flows.commands import DVC, CommandError, run_logged
from flows.shown import show_run
from gemel.core.errors import ConfigError, GemelError

ROOT = Path(__file__).resolve().parents[1]
# Tasks that hold an accelerator; `prefect concurrency-limit create gpu 1` lets one run at a time.
ACCELERATOR = "gpu"


class StageError(GemelError):
    """A stage of the pipeline failed. stage: its name."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


@flow(name="pipeline")
def pipeline(
    root: Path = ROOT, force: bool = False, retries: int = 1, retry_delay_seconds: float = 10, plots: bool = True
) -> tuple[str, ...]:
    """Bring every stage up to date, in order, and show results, checks, times and plots.

    root: the folder of dvc.yaml. force: run stages that are up to date, too. retries: of each stage that fails.
    Returns: the names of the stages, in the order in which they ran or were found up to date.
    Raises: ConfigError if there is no readable dvc.yaml; StageError if a stage fails, after its retries.
    """
    seconds: dict[str, float] = {}
    try:
        for stage in stages_in_order(root):
            seconds[stage] = reproduce.with_options(
                name=stage, task_run_name=stage, retries=retries, retry_delay_seconds=retry_delay_seconds
            )(stage, root, force)
    finally:
        show_run(root, seconds, plots=plots)
    return tuple(seconds)


# DVC decides what has to run: a result of Prefect's cache would be a second opinion.
@task(cache_policy=NO_CACHE, tags=[ACCELERATOR])
def reproduce(stage: str, root: Path, force: bool = False) -> float:
    """Run `dvc repro --single-item` for one stage; its output goes to the run's log line by line.

    Returns: the seconds that it took.
    Raises: StageError with the stage's last lines if it fails.
    """
    began = time.perf_counter()
    command = [*DVC, "repro", "--single-item", *(["--force"] if force else []), stage]
    try:
        run_logged(command, root, get_run_logger())
    except CommandError as error:
        words = f"stage {stage!r} failed with exit status {error.status}; its last lines:\n{error.tail}"
        raise StageError(stage, words) from None
    return time.perf_counter() - began


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


def main() -> None:
    """Run the flow from the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description="Bring every DVC stage up to date.")
    parser.add_argument("--force", action="store_true", help="run stages that are up to date, too")
    parser.add_argument("--retries", type=int, default=1, help="of each stage that fails (default: 1)")
    arguments = parser.parse_args()
    with errors_in_a_sentence():
        pipeline(force=arguments.force, retries=arguments.retries)


if __name__ == "__main__":
    main()
