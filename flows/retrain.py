"""Retraining that runs itself: `python -m flows.retrain`, or on a schedule, as prefect.yaml has it.

New posts and corrections come in, the pipeline makes a challenger of them, the gate compares it with the champion, and
only what is better, or as good with more data, is promoted. All of it happens in a worktree (flows.workspace).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from prefect import flow, get_run_logger

from flows.command_line import errors_in_a_sentence
from flows.commands import Log
from flows.notices import notify
from flows.pipeline import ROOT, StageError, pipeline
from flows.promotion import build_bento, decide, finish_interrupted, promote, publish, record
from flows.settings import RetrainingSettings, read_settings
from flows.taking_in import Inputs, set_aside, take_in
from flows.workspace import Line, Workspace, current_branch, workspace
from gemel.core.errors import ArtifactError, GemelError
from gemel.monitoring.alarm import close_alarm
from gemel.registry.lease import RETRAINING, Lease
from gemel.registry.registry import Registry
from gemel.registry.verification import verify_artifacts

Kind = Literal["nothing new", "promoted", "held", "refused"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended. run: its id; "" where there was nothing to do. said: for people."""

    kind: Kind
    run: str
    said: str


@flow(name="retrain")
def retrain(root: Path = ROOT) -> Outcome:
    """Make a challenger of what is new, and promote it if the gate lets it through.

    root: the checkout, which stays as it is.
    Raises: LeaseError if another run is at work; StageError if a stage fails, after its retries, which the data's
    checks are, too; GemelError for whatever else stands in the way. The champion is untouched then.
    """
    settings, log = read_settings(root), get_run_logger()
    line = Line(root, settings.branch, settings.follow or current_branch(root))
    with Lease(root / RETRAINING, "retrain", 60 * settings.lease_minutes) as lease:
        try:
            outcome = _run(line, Registry(root), lease, settings, log)
        except (GemelError, OSError) as error:
            notify(settings.notify, "gemel: retraining stopped, the champion stays", str(error))
            if isinstance(error, OSError):
                raise GemelError(f"{error}; make room, or see who may write there: the next run goes on") from error
            raise
        if settings.push_to is not None and (failure := publish(line, settings.push_to, log)):
            outcome = replace(outcome, said=f"{outcome.said}\n{failure}")
    if outcome.kind == "nothing new":
        log.info(outcome.said)
    else:
        notify(settings.notify, f"gemel: {outcome.kind} by run {outcome.run}", outcome.said)
    return outcome


def _run(line: Line, registry: Registry, lease: Lease, settings: RetrainingSettings, log: Log) -> Outcome:
    for mended in registry.reconcile():
        log.warning(mended)
    finished = finish_interrupted(line, registry)
    if finished:
        notify(settings.notify, "gemel: promoted after an interruption", finished)
    with workspace(line, log) as place:
        if finished and settings.build_bento:
            build_bento(place, log)
        inputs = take_in(line, place, registry, settings)
        if inputs.nothing is not None:
            return Outcome("nothing new", "", inputs.nothing)
        try:
            pipeline(place.folder, retries=settings.retries)
        except StageError:
            set_aside(inputs, line.root, place)
            raise
        if damaged := verify_artifacts(place.folder):
            raise ArtifactError(f"{'; '.join(damaged)}; the disk may be failing: nothing is promoted")
        return _judged(line, place, inputs, registry, lease, settings, log)


def _judged(
    line: Line,
    place: Workspace,
    inputs: Inputs,
    registry: Registry,
    lease: Lease,
    settings: RetrainingSettings,
    log: Log,
) -> Outcome:
    decision = decide(line, place, inputs, registry, settings)
    said = "\n".join(decision.why)
    lease.check()
    if decision.promoted:
        version = promote(line, place, inputs, registry, decision, settings)
        close_alarm(line.root, inputs.run)
        if settings.build_bento:
            build_bento(place, log)
        return Outcome("promoted", inputs.run, f"{version.name} is the champion.\n{said}")
    return Outcome(record(line, place, inputs, decision), inputs.run, said)


def main() -> None:
    """Run the flow from the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description="Retrain on what is new.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: this one)")
    arguments = parser.parse_args()
    with errors_in_a_sentence():
        retrain(arguments.root)


if __name__ == "__main__":
    main()
