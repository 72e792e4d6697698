"""What becomes of a challenger: the gate's decision, its commit, and the promotion, in steps that a kill can't spoil.

The commit is on the line of runs before anything is promoted, and names the release that it promotes. Whoever finds
such a commit whose release was never promoted does the rest.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from flows.commands import DVC, CommandError, Log, read_output, run_logged
from flows.settings import RetrainingSettings
from flows.taking_in import Inputs
from flows.workspace import Line, Workspace, git
from gemel.core.artifacts import artifact_hash
from gemel.gate.card import PAGE, write_decision
from gemel.gate.decision import Decision, Outcome
from gemel.gate.evaluation import evaluate_and_decide
from gemel.intake.settling import settle
from gemel.registry.errors import RegistryError
from gemel.registry.registry import Registry
from gemel.registry.versions import Version
from gemel.stages import RELEASE

DECISIONS = Path("decisions")
RECORDED = ("data.dvc", "dvc.lock", str(DECISIONS))
RUN, PROMOTES = "Gemel-Run", "Gemel-Promotes"
Kept = Literal["held", "refused"]


@task(cache_policy=NO_CACHE)
def decide(line: Line, place: Workspace, inputs: Inputs, registry: Registry, settings: RetrainingSettings) -> Decision:
    """Let the gate compare challenger and champion; its card lies in the worktree then, and on Prefect's page."""
    decision = evaluate_and_decide(
        registry.champion_folder(),
        place.folder / RELEASE,
        place.folder,
        new_data=not inputs.batch.is_empty,
        settings=settings.gate,
        cards=place.folder / DECISIONS,
        audit=None if settings.audit is None else line.root / settings.audit,
        facts=inputs.facts,
    )
    folder = place.folder / DECISIONS / inputs.run
    write_decision(decision, folder)
    card = (folder / PAGE).read_text(encoding="utf-8")
    create_markdown_artifact(card, key="decision", description=f"run {inputs.run}: {decision.outcome}")
    return decision


@task(cache_policy=NO_CACHE)
def promote(
    line: Line,
    place: Workspace,
    inputs: Inputs,
    registry: Registry,
    decision: Decision,
    settings: RetrainingSettings,
) -> Version:
    """Push the data, commit, move the line, and make the challenger the champion."""
    remote = () if settings.remote is None else ("--remote", settings.remote)
    read_output([*DVC, "push", *remote], place.folder)
    digest = artifact_hash(place.folder / RELEASE)
    commit = place.commit(_message(inputs.run, decision, digest), *RECORDED, *_remotes_inside(place.folder))
    line.move(commit, place.head)
    version = registry.register(place.folder / RELEASE, commit, inputs.run, "\n".join(decision.why))
    version = registry.promote(version, why=f"run {inputs.run}")
    settle(inputs.batch, line.root, "promoted", inputs.run)
    return version


@task(cache_policy=NO_CACHE)
def record(line: Line, place: Workspace, inputs: Inputs, decision: Decision) -> Kept:
    """Keep the decision card on the line, and the whole commit beside it. Returns: what became of the challenger."""
    kept: Kept = "held" if decision.outcome is Outcome.HOLD else "refused"
    whole = place.commit(_message(inputs.run, decision), *RECORDED)
    line.keep(inputs.run, whole)
    card = place.commit_alone(_message(inputs.run, decision), str(DECISIONS / inputs.run), whole)
    line.move(card, place.head)
    settle(inputs.batch, line.root, kept, inputs.run)
    return kept


@task(cache_policy=NO_CACHE)
def build_bento(place: Workspace, log: Log) -> None:
    """Build the bento of the promoted release; where it can't be built, the release is served all the same."""
    command = [sys.executable, "-m", "bentoml", "build"]
    try:
        run_logged(command, place.folder, log, {"BENTOML_DO_NOT_TRACK": "True"})
    except CommandError as error:
        log.warning(f"no bento was built; `bentoml build` in a checkout of the release's tag does it ({error})")


@task(cache_policy=NO_CACHE)
def publish(line: Line, remote: str, log: Log) -> str:
    """Push the line of runs and its tags to a git remote. Where that fails, what happened here stands.

    Returns: why it failed; "" if it did not.
    """
    try:
        line.push(remote)
    except RegistryError as error:
        failure = f"{line.branch} and its tags are not at {remote} yet, the next run tries it again: {error}"
        log.warning(failure)
        return failure
    return ""


def finish_interrupted(line: Line, registry: Registry) -> str:
    """Do the rest of a promotion whose commit is on the line. Returns: what was done, for people; "" if nothing was."""
    head, _ = line.heads()
    run = _trailer(line.root, head, RUN)
    if not _trailer(line.root, head, PROMOTES):
        return ""
    version = next((each for each in registry.versions() if each.run == run), None)
    if version is not None and version.events:
        return ""
    version = version or _registered(line.root, head, run, registry)
    registry.promote(version, why=f"run {run}")
    return f"run {run} was interrupted in its promotion, which is done now: {version.name} is the champion"


def _registered(root: Path, commit: str, run: str, registry: Registry) -> Version:
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / RELEASE.name
        read_output([*DVC, "get", ".", str(RELEASE), "--rev", commit, "--out", str(bundle)], root)
        return registry.register(bundle, commit, run, "registered after an interruption")


def _message(run: str, decision: Decision, digest: str = "") -> str:
    trailers = [f"{RUN}: {run}", *([f"{PROMOTES}: {digest}"] if digest else [])]
    return "\n".join([f"Retraining {run}: {decision.outcome}", "", *decision.why, "", *trailers])


def _trailer(root: Path, commit: str, key: str) -> str:
    return git(root, "log", "-1", f"--format=%(trailers:key={key},valueonly)", commit)


def _remotes_inside(folder: Path) -> list[str]:
    """DVC remotes that are folders of the repository itself: what was pushed there belongs into the commit."""
    from dvc.repo import Repo

    inside = folder.resolve()
    with Repo(str(folder)) as repo:
        places = [Path(remote["url"]) for remote in repo.config["remote"].values()]
    return [str(place.relative_to(inside)) for place in places if place.is_relative_to(inside)]
