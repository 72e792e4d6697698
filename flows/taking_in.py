"""What a run is made of: the new posts and corrections, and where training starts."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.commands import DVC, read_output
from flows.settings import RetrainingSettings
from flows.shown import STOPPED
from flows.workspace import Line, Workspace
from gemel.core.config import read_params
from gemel.core.errors import DataError
from gemel.core.schema import Post
from gemel.intake.applying import apply
from gemel.intake.batch import Batch, gather
from gemel.intake.candidates import Waiting
from gemel.intake.fetching import fetch
from gemel.intake.settling import remember, settle, tried
from gemel.intake.suspicion import SureAnswers
from gemel.monitoring.alarm import read_alarm
from gemel.registry.registry import Registry
from gemel.stages import DATA, START

if TYPE_CHECKING:
    from gemel.predictor import Linker

RUN_DIGITS = 12
MOST_SAID = 3
NOTHING = "nothing new: no post and no correction came in that was not tried before, and the code is the same"


@dataclass(frozen=True)
class Inputs:
    """run: the id, which follows from the inputs. facts: for the decision card. nothing: why there is nothing to do."""

    run: str
    batch: Batch
    facts: Mapping[str, Any]
    nothing: str | None = None


@task(cache_policy=NO_CACHE)
def take_in(line: Line, place: Workspace, registry: Registry, settings: RetrainingSettings) -> Inputs:
    """Bring what is new into the worktree's data, and record it with DVC; or say that nothing is."""
    params = read_params(place.folder / "params.yaml")
    dataset, start = params["dataset"], params["mapper"]["start"]
    for source in fetch(line.root, settings.intake):
        if source.fault is not None:
            get_run_logger().warning(source.fault)
    champion = registry.champion()
    bundle = None if champion is None else registry.folder_of(champion)
    answers = None if bundle is None else sure_answers(bundle, place.folder)
    batch = gather(line.root, place.folder / DATA, dataset, settings.intake, answers)
    for each in batch.waiting:
        get_run_logger().warning(_said_of(each))
    content = json.dumps([place.base, batch.id, settings.model_dump(mode="json")], sort_keys=True)
    run = hashlib.sha256(content.encode()).hexdigest()[:RUN_DIGITS]
    if nothing := _nothing(line, place, batch, champion is not None):
        remember(batch, line.root)
        waiting = [f"waiting: {_said_of(each)}" for each in batch.waiting[:MOST_SAID]]
        return Inputs(run, batch, {}, "; ".join([nothing, *waiting]))
    apply(batch, place.folder / DATA / dataset)
    _put_start(place, start, bundle)
    read_output([*DVC, "add", str(DATA)], place.folder)
    facts = {
        "run": run,
        "batch": batch.id,
        "intake": batch.counts,
        "quarantined": len(batch.quarantined),
        "mapper_start": start,
        "base": place.base,
        "champion": champion.name if champion else None,
    }
    return Inputs(run, batch, facts)


def sure_answers(bundle: Path, root: Path) -> SureAnswers:
    """The answers that a release is sure of. bundle: the release. root: where its frozen models lie.

    It is loaded when it is asked for the first time, as a run without corrections never asks.
    """

    @cache
    def linker() -> Linker:
        from gemel.predictor import Linker

        return Linker.load(bundle, root=root)

    def answers(posts: Sequence[Post]) -> list[str | None]:
        links = linker().link(posts)
        return [link.answer.entity_id if link.sure and link.answer else None for link in links]

    return answers


def set_aside(inputs: Inputs, root: Path, place: Workspace) -> None:
    """Refuse a batch that the checks of the data stopped. What failed for another reason, a full disk say, is left as
    it is: the next run tries it again.
    """
    if (place.folder / STOPPED).is_file():
        settle(inputs.batch, root, "refused", inputs.run)


def _nothing(line: Line, place: Workspace, batch: Batch, has_champion: bool) -> str | None:
    if not has_champion or place.base != place.head:
        return None
    if batch.is_empty or tried(line.root, batch.id):
        return NOTHING if read_alarm(line.root) is None else f"{NOTHING}; the alarm stays open: label posts for it"
    return None


def _said_of(waiting: Waiting) -> str:
    return f"{waiting.source}{f'/{waiting.batch}' if waiting.batch else ''}: {waiting.reason}"


def _put_start(place: Workspace, start: str, champion: Path | None) -> None:
    """Put the champion's mapper where training starts from, if it does.

    Raises: DataError if there is no champion.
    """
    if start != "champion":
        return
    if champion is None:
        raise DataError("mapper.start is champion, but there is none yet; set it to scratch for the first one")
    from gemel.mapper.mapper import WEIGHTS

    target = place.folder / START / WEIGHTS
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # perhaps a link into DVC's cache
    shutil.copyfile(champion / WEIGHTS, target)
