"""Questions are answered in batches that grow while the linker works; none is lost or mixed up."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from bento.batcher import Batcher
from bento.refusals import RefusedError


class Slow:
    """Doubles numbers, but only when it is let go; remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()

    def answer(self, questions: Sequence[int]) -> list[int | Exception]:
        """Refuses negative numbers."""
        self.batches.append(list(questions))
        self.go.wait(10)
        return [ValueError(f"{one} is negative") if one < 0 else 2 * one for one in questions]


def play(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def begun(slow: Slow, batches: int) -> None:
    while len(slow.batches) < batches:
        await asyncio.sleep(0.001)


def test_what_waits_while_the_linker_works_is_its_next_batch() -> None:
    async def work() -> None:
        slow = Slow()
        batcher = Batcher(slow.answer, most=8, most_inside=100)
        async with batcher.running():
            first = asyncio.create_task(batcher.ask(0))
            await begun(slow, 1)
            others = [asyncio.create_task(batcher.ask(number)) for number in range(1, 6)]
            await asyncio.sleep(0.01)
            slow.go.set()
            answers = await asyncio.gather(first, *others)
        assert [timed.answer for timed in answers] == [0, 2, 4, 6, 8, 10]
        assert slow.batches == [[0], [1, 2, 3, 4, 5]]
        assert [timed.together for timed in answers] == [1, 5, 5, 5, 5, 5]

    play(work())


def test_batch_holds_no_more_than_its_weight_and_a_heavier_question_comes_alone() -> None:
    async def work() -> None:
        slow = Slow()
        slow.go.set()
        batcher = Batcher(slow.answer, most=4, most_inside=100)
        questions = [batcher.ask(number, weight) for number, weight in ((1, 2), (2, 2), (3, 1), (4, 9), (5, 1))]
        asked = [asyncio.create_task(question) for question in questions]
        await asyncio.sleep(0)
        async with batcher.running():
            await asyncio.gather(*asked)
        assert slow.batches == [[1, 2], [3], [4], [5]]

    play(work())


def test_refused_question_does_not_take_its_batch_with_it() -> None:
    async def work() -> None:
        slow = Slow()
        slow.go.set()
        batcher = Batcher(slow.answer, most=4, most_inside=100)
        async with batcher.running():
            found = await asyncio.gather(*(batcher.ask(number) for number in (1, -2, 3)), return_exceptions=True)
        assert [each if isinstance(each, ValueError) else each.answer for each in found][::2] == [2, 6]
        assert str(found[1]) == "-2 is negative"

    play(work())


def test_batch_that_fails_fails_its_questions_and_no_others() -> None:
    async def work() -> None:
        def answer(questions: Sequence[int]) -> list[int | Exception]:
            if 0 in questions:
                raise MemoryError("no room")
            return list(questions)

        batcher = Batcher(answer, most=1, most_inside=100)
        async with batcher.running():
            with pytest.raises(MemoryError, match="no room"):
                await batcher.ask(0)
            assert (await batcher.ask(1)).answer == 1

    play(work())


def test_question_that_breaks_its_batch_fails_alone() -> None:
    async def work() -> None:
        def answer(questions: Sequence[int]) -> list[int | Exception]:
            if 0 in questions:
                raise MemoryError("no room")
            return list(questions)

        batcher = Batcher(answer, most=8, most_inside=100)
        asked = [asyncio.create_task(batcher.ask(number)) for number in (1, 0, 2)]
        await asyncio.sleep(0)
        async with batcher.running():
            found = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(found[1], MemoryError)
        assert [found[0].answer, found[2].answer] == [1, 2]

    play(work())


def test_question_of_a_caller_who_has_gone_is_never_answered() -> None:
    async def work() -> None:
        slow = Slow()
        batcher = Batcher(slow.answer, most=8, most_inside=100)
        async with batcher.running():
            first = asyncio.create_task(batcher.ask(0))
            await begun(slow, 1)
            gone, stays = asyncio.create_task(batcher.ask(1)), asyncio.create_task(batcher.ask(2))
            await asyncio.sleep(0)
            gone.cancel()
            slow.go.set()
            await asyncio.gather(first, stays)
        assert slow.batches == [[0], [2]]

    play(work())


def test_caller_who_goes_while_the_linker_works_harms_nobody() -> None:
    async def work() -> None:
        slow = Slow()
        batcher = Batcher(slow.answer, most=8, most_inside=100)
        async with batcher.running():
            gone = asyncio.create_task(batcher.ask(0))
            await begun(slow, 1)
            gone.cancel()
            await asyncio.sleep(0)
            slow.go.set()
            assert (await batcher.ask(1)).answer == 2

    play(work())


def test_what_has_no_room_is_refused_at_once() -> None:
    batcher = Batcher(lambda questions: list(questions), most=8, most_inside=3)
    with batcher.room(2), batcher.room(1):
        words = r"3 mentions are being linked or waiting, and 3 may"
        with pytest.raises(RefusedError, match=words) as refused, batcher.room(1):
            pass
        assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "1"})
    assert batcher.inside == 0
    with batcher.room(3):
        pass


def test_what_is_too_heavy_for_all_of_the_room_is_let_in_alone() -> None:
    batcher = Batcher(lambda questions: list(questions), most=8, most_inside=3)
    with batcher.room(9):
        assert batcher.inside == 9


def test_what_waits_at_the_end_is_answered_first() -> None:
    async def work() -> None:
        slow = Slow()
        slow.go.set()
        batcher = Batcher(slow.answer, most=1, most_inside=100)
        async with batcher.running():
            asked = [asyncio.create_task(batcher.ask(number)) for number in range(5)]
            await asyncio.sleep(0)
        assert [(await one).answer for one in asked] == [0, 2, 4, 6, 8]

    play(work())


def test_batch_that_runs_at_the_end_is_finished() -> None:
    async def work() -> None:
        slow = Slow()
        batcher = Batcher(slow.answer, most=1, most_inside=100)
        async with batcher.running():
            asked = asyncio.create_task(batcher.ask(4))
            await begun(slow, 1)
            asyncio.get_running_loop().call_later(0.05, slow.go.set)
        assert (await asked).answer == 8

    play(work())


def test_work_between_two_batches_waits_for_the_one_that_runs() -> None:
    async def work() -> None:
        slow = Slow()
        batcher = Batcher(slow.answer, most=1, most_inside=100)
        order: list[str] = []
        async with batcher.running():
            first = asyncio.create_task(batcher.ask(0))
            first.add_done_callback(lambda _: order.append("answered"))
            await begun(slow, 1)
            between = asyncio.create_task(batcher.between(lambda: order.append(f"after {len(slow.batches)} batch")))
            await asyncio.sleep(0.01)
            assert order == []
            slow.go.set()
            await asyncio.gather(first, between)
        assert sorted(order) == ["after 1 batch", "answered"]

    play(work())
