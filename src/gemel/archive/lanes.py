"""Shards over workers: a lane is one worker, here or in a process of its own, that takes the next shard when free."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Protocol

from gemel.archive.worker import Job, Outcome, Worker
from gemel.core.errors import GemelError


class LaneDiedError(GemelError):
    """A worker is gone, and its shard with it."""


class Lane(Protocol):
    """One worker."""

    def link(self, shard: int) -> Outcome:
        """As Worker.link. Raises: LaneDiedError."""
        ...

    def close(self) -> None:
        """Let the worker go."""
        ...


class OwnLane:
    """A worker in this process."""

    def __init__(self, job: Job) -> None:
        self.link = Worker(job).link

    def close(self) -> None:
        """Nothing to do."""


class ProcessLane:
    """A worker in a process of its own, which a lack of memory may end without the others."""

    def __init__(self, job: Job) -> None:
        """Raises: as Worker; LaneDiedError if the process dies before it has its linker."""
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_parent)
        try:
            self._result(self._pool.submit(_open, job))
        except BaseException:
            self.close()
            raise

    def link(self, shard: int) -> Outcome:
        """As Lane."""
        return self._result(self._pool.submit(_link, shard))

    def close(self) -> None:
        """End the process behind what it is at."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _result(self, future: Future[Outcome]) -> Outcome:
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise LaneDiedError(
                "the worker's process was killed, perhaps for lack of memory; give fewer processes or smaller shards"
            ) from error


def run_shards(shards: Iterable[int], open_lane: Callable[[], Lane], lanes: int, attempts: int) -> Iterator[Outcome]:
    """Link shards, several at a time, and yield what became of each as soon as that is settled.

    open_lane: called once for each lane, and again if its worker dies. attempts: at a shard that fails.
    Raises: what open_lane raises; then no further shard is begun.
    """
    queue = _Queue(shards, attempts)
    settled: SimpleQueue[Outcome | None] = SimpleQueue()

    def run() -> None:
        try:
            for outcome in _lane_outcomes(queue, open_lane):
                settled.put(outcome)
        except BaseException:
            queue.stop()
            raise
        finally:
            settled.put(None)

    if lanes == 1:
        yield from _lane_outcomes(queue, open_lane)
        return
    with ThreadPoolExecutor(lanes) as threads:
        running = [threads.submit(run) for _ in range(lanes)]
        try:
            for _ in running:
                yield from iter(settled.get, None)
        finally:
            queue.stop()
        for each in running:
            each.result()


def _lane_outcomes(queue: _Queue, open_lane: Callable[[], Lane]) -> Iterator[Outcome]:
    """Settled outcomes of one lane."""
    lane: Lane | None = None
    try:
        while (shard := queue.next()) is not None:
            lane = lane or open_lane()
            try:
                outcome = lane.link(shard)
            except LaneDiedError as error:
                lane.close()
                lane, outcome = None, Outcome(shard, problem=str(error))
            if not (outcome.problem and queue.again(shard)):
                yield outcome
    finally:
        if lane is not None:
            lane.close()


class _Queue:
    """The shards that are still to be linked; threads share it."""

    def __init__(self, shards: Iterable[int], attempts: int) -> None:
        self._waiting, self._attempts, self._lock = deque(shards), attempts, Lock()
        self._failures: dict[int, int] = {}

    def next(self) -> int | None:
        """The next shard; None if there is none."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def again(self, shard: int) -> bool:
        """Put a shard that failed behind the others; False if it has had its attempts."""
        with self._lock:
            self._failures[shard] = self._failures.get(shard, 0) + 1
            if self._failures[shard] >= self._attempts:
                return False
            self._waiting.append(shard)
            return True

    def stop(self) -> None:
        """Begin no further shard."""
        with self._lock:
            self._waiting.clear()
            self._attempts = 0


# The worker of a process, which its functions find here.
_workers: list[Worker] = []


def _open(job: Job) -> Outcome:
    _workers[:] = [Worker(job)]
    return Outcome(-1)


def _link(shard: int) -> Outcome:
    return _workers[0].link(shard)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next shard for ever, and keep its memory."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()
