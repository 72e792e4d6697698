"""A worker: one linker, and a shard at a time."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.archive.plan import Plan
from gemel.archive.posts import ArchivePosts, as_request
from gemel.archive.shards import write_shard
from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.links import link_rows


@dataclass(frozen=True)
class Job:
    """What a worker needs.

    posts: in the order of the plan. key: what finished shards are known by, of this plan and this order. shards: the
    folder of finished ones. project: folder that the paths of frozen
    models start from. threads: of torch; None: as they are.
    """

    plan: Plan
    posts: ArchivePosts
    key: str
    shards: Path
    release: Path
    project: Path
    device: str
    threads: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a shard. problem: why it has no links; "" if it has."""

    shard: int
    posts: int = 0
    rows: int = 0
    seconds: float = 0.0
    problem: str = ""


class Worker:
    """Links shards of one job, by the linker that `gemel link` uses."""

    def __init__(self, job: Job) -> None:
        """Raises: ArtifactError if the release isn't the plan's one, or as Linker.load; BackboneError as there."""
        import torch

        from gemel.predictor import Linker

        if job.threads is not None:
            torch.set_num_threads(job.threads)
        self._job = job
        with warnings.catch_warnings():
            # Said once by who starts the workers.
            warnings.simplefilter("ignore", UserWarning)
            self._linker = Linker.load(job.release, root=job.project, device=job.device)
        # Behind loading: what was read of another release would be found out here.
        if artifact_hash(job.release) != job.plan.release:
            raise ArtifactError(
                f"{job.release}: another release than the archive was begun with; give that one back, or link into "
                "another folder"
            )

    def link(self, shard: int) -> Outcome:
        """Link a shard and write its links; an error is part of the answer, as one shard must not take the others
        with it."""
        begun = time.perf_counter()
        try:
            posts, rows = self._link(shard)
        # Whatever is wrong with a shard: the others go on.
        except Exception as error:
            return Outcome(shard, problem=f"{type(error).__name__}: {error}", seconds=time.perf_counter() - begun)
        return Outcome(shard, posts, rows, time.perf_counter() - begun)

    def _link(self, shard: int) -> tuple[int, int]:
        job, wall, work = self._job, time.perf_counter(), time.process_time()
        frame = job.posts.slice(*job.plan.bounds(shard))
        images = Path(job.plan.images)
        requests = [as_request(row, images) for row in frame.iter_rows(named=True)]
        rows_of = dict(link_rows(self._linker, requests, job.plan.top))
        rows: list[dict[str, Any]] = [
            {**found, "row": row} for place, row in enumerate(frame["row"]) for found in rows_of[place]
        ]
        facts = {
            "plan": job.key,
            "shard": shard,
            "by": f"{os.uname().nodename} {os.getpid()}",
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - work,
        }
        write_shard(job.shards, shard, rows, facts)
        return frame.height, len(rows)
