"""Workers on a Ray cluster: actors that load the linker once.

All nodes need this package, and under one path the project's folder with the release, the posts, their images and the
output folder; for equal scores also the same library versions and kind of device.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gemel.archive.lanes import Lane, LaneDiedError
from gemel.archive.worker import Job, Outcome, Worker
from gemel.core.errors import ConfigError, GemelError

CPUS_PER_ACTOR = 4


class ShardActor:
    """An actor. An error is part of its answer: raised, it would arrive wrapped, or be tried again."""

    def __init__(self, job: Job) -> None:
        os.chdir(job.project)
        self._worker, self._problem = None, ""
        try:
            self._worker = Worker(job)
        except GemelError as error:
            self._problem = str(error)

    def problem(self) -> str:
        """Why there is no linker; "" if there is one."""
        return self._problem

    def link(self, shard: int) -> Outcome:
        """As Worker.link."""
        assert self._worker is not None
        return self._worker.link(shard)


class RayLane:
    """A worker as an actor."""

    def __init__(self, ray: Any, job: Job, share: dict[str, int]) -> None:
        """share: of the cluster, for one actor. Raises: GemelError if it can't load the linker; LaneDiedError."""
        self._ray = ray
        self._actor = ray.remote(**share)(ShardActor).remote(job)
        if problem := self._get(self._actor.problem.remote()):
            raise GemelError(problem)

    def link(self, shard: int) -> Outcome:
        """As Lane."""
        outcome: Outcome = self._get(self._actor.link.remote(shard))
        return outcome

    def close(self) -> None:
        """End the actor."""
        self._ray.kill(self._actor)

    def _get(self, answer: Any) -> Any:
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            raise LaneDiedError(f"the worker's actor died ({str(error).splitlines()[0]})") from error


@contextmanager
def ray_lanes(job: Job, actors: int | None) -> Iterator[tuple[Callable[[], Lane], int]]:
    """How to open a lane on the cluster of RAY_ADDRESS, or on a fresh one on this machine; and how many it holds.

    actors: so many instead. Raises: ConfigError if Ray isn't installed.
    """
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init(include_dashboard=False, log_to_driver=False)
    try:
        fitting, share = shares(ray.cluster_resources(), job.device)
        yield lambda: RayLane(ray, job, share), actors or fitting
    finally:
        if ours:
            ray.shutdown()


def shares(resources: dict[str, float], device: str) -> tuple[int, dict[str, int]]:
    """An actor a card; without cards, one for each few cores. Returns: number of actors, and what each holds."""
    cores = max(1, int(resources["CPU"]))
    if device.startswith("cuda"):
        cards = max(1, int(resources.get("GPU", 0)))
        return cards, {"num_gpus": 1, "num_cpus": max(1, min(CPUS_PER_ACTOR, cores // cards))}
    each = min(CPUS_PER_ACTOR, cores)
    return max(1, cores // each), {"num_cpus": each}


def _ray() -> Any:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    try:
        import ray
    except ImportError as error:
        raise ConfigError("scale_out is ray, but Ray isn't installed: pip install 'gemel[ray]'") from error
    return ray
