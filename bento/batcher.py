"""Questions of several callers, linked together: what waits while the linker works is its next batch.

So a lone question waits for nobody, and the batches grow with the load. BentoML's own batching serves its POST
endpoints alone, and holds questions back to learn how long they take.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic, TypeVar

from bento.refusals import RefusedError

Question = TypeVar("Question")
Answer = TypeVar("Answer")
RETRY_SECONDS = 1


@dataclass(frozen=True)
class Timed(Generic[Answer]):
    """An answer. waited, worked: seconds before and in its batch. together: weight of the batch."""

    answer: Answer
    waited: float
    worked: float
    together: int


@dataclass
class _Job(Generic[Question, Answer]):
    question: Question
    weight: int
    future: asyncio.Future[Timed[Answer]]
    since: float = field(default_factory=time.perf_counter)


class Batcher(Generic[Question, Answer]):
    """Has questions answered in batches, one batch at a time, in a thread of its own.

    inside: weight of all that was let in and has not left.
    """

    def __init__(
        self, answer: Callable[[Sequence[Question]], Sequence[Answer | Exception]], most: int, most_inside: int
    ) -> None:
        """answer: one answer for each question, in order, or why there is none. most: weight of a batch, but a heavier
        question comes alone. most_inside: weight of all that may be let in.
        """
        self._answer, self._most, self._most_inside = answer, most, most_inside
        self._jobs: deque[_Job[Question, Answer]] = deque()
        self._more, self._idle = asyncio.Event(), asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "linker")
        self.inside = 0

    def check_room(self, weight: int = 1) -> None:
        """Raises: RefusedError, status 429, if there is no room; what is too heavy for all of it has to be alone."""
        if self.inside and self.inside + weight > self._most_inside:
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self.inside} mentions are being linked or waiting, and {self._most_inside} may; try again later",
                {"retry-after": str(RETRY_SECONDS)},
            )

    @contextlib.contextmanager
    def room(self, weight: int) -> Iterator[None]:
        """Let something in, for as long as this is open. Raises: RefusedError as check_room."""
        self.check_room(weight)
        self.inside += weight
        try:
            yield
        finally:
            self.inside -= weight

    async def ask(self, question: Question, weight: int = 1) -> Timed[Answer]:
        """The answer to a question. A caller that is cancelled before its batch begins costs nothing more.

        weight: how much of a batch it takes. Raises: what `answer` gives in its place.
        """
        job: _Job[Question, Answer] = _Job(question, weight, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._more.set()
        return await job.future

    async def run(self) -> None:
        """Answer batch after batch, until this task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._idle.set()
            await self._more.wait()
            self._more.clear()
            self._idle.clear()
            while batch := self._next():
                began = time.perf_counter()
                questions = [job.question for job in batch]
                answers = await loop.run_in_executor(self._thread, self._answers, questions)
                _tell(batch, answers, began)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer questions while it is open; those that wait at its end are answered first."""
        task = asyncio.create_task(self.run())
        try:
            yield
            while self._jobs or not self._idle.is_set():
                await asyncio.sleep(0.01)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._thread.shutdown()

    async def between(self, work: Callable[[], None]) -> None:
        """Do something between two batches."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _answers(self, questions: Sequence[Question]) -> Sequence[Answer | Exception]:
        """One answer for each question. Where a batch fails, each is asked by itself: none fails for another's sake."""
        try:
            return self._answer(questions)
        except Exception as error:
            if len(questions) == 1:
                return [error]
        return [answer for question in questions for answer in self._answers([question])]

    def _next(self) -> list[_Job[Question, Answer]]:
        """The questions of the next batch, the longest waiting first; none if nobody waits."""
        batch: list[_Job[Question, Answer]] = []
        weight = 0
        while self._jobs and (not batch or weight + self._jobs[0].weight <= self._most):
            job = self._jobs.popleft()
            if not job.future.cancelled():
                batch.append(job)
                weight += job.weight
        return batch


def _tell(batch: Sequence[_Job[Question, Answer]], answers: Sequence[Answer | Exception], began: float) -> None:
    worked, together = time.perf_counter() - began, sum(job.weight for job in batch)
    for job, answer in zip(batch, answers, strict=True):
        if job.future.cancelled():
            continue
        if isinstance(answer, Exception):
            job.future.set_exception(answer)
        else:
            job.future.set_result(Timed(answer, began - job.since, worked, together))
