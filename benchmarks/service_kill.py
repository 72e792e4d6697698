"""The worker killed under load, and the service ended: what is lost, and how soon it answers again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx

from benchmarks.service_load import after, client_of, closed_loop
from benchmarks.service_posts import Heard, Shot, fire
from benchmarks.service_process import Served

CALLERS, PATIENCE_S = 8, 180.0


async def kill(served: Served, shots: Sequence[Shot]) -> dict[str, object]:
    """The figures; the service has ended afterwards.

    back_s: from `kill -9` of the worker to the next answer. lost_in_flight: requests that were sent before the kill and
    have no answer; lost_later: sent after it. ended_in_flight, ended_answered: requests at the time of SIGTERM, and
    those of them that were answered.
    """
    back, killed, heard = asyncio.Event(), [0.0], list[Heard]()
    async with client_of(served, PATIENCE_S) as client:
        end = time.monotonic() + PATIENCE_S

        def over() -> bool:
            return back.is_set() or time.monotonic() > end

        loading = asyncio.create_task(closed_loop(client, shots, CALLERS, over))
        await asyncio.sleep(1.0)
        served.worker().kill()
        killed[0] = time.monotonic()
        first = await _first_answer(client, shots[0], end)
        back.set()
        heard = await loading
    lost = [each for each in heard if each.status != 200]
    figures: dict[str, object] = {
        "back_s": first - killed[0],
        "lost_in_flight": sum(each.sent <= killed[0] for each in lost),
        "lost_later": sum(each.sent > killed[0] for each in lost),
        "wrong_answers": sum(each.wrong for each in heard),
    }
    return figures | await _ended(served, shots)


async def _first_answer(client: httpx.AsyncClient, shot: Shot, end: float) -> float:
    """When the next request was answered, in seconds of time.monotonic."""
    while time.monotonic() < end:
        if (await fire(client, shot)).status == 200:
            return time.monotonic()
        await asyncio.sleep(0.1)
    raise RuntimeError(f"no answer within {PATIENCE_S:g} seconds after the worker was killed")


async def _ended(served: Served, shots: Sequence[Shot]) -> dict[str, object]:
    """SIGTERM while requests are in flight."""
    async with client_of(served) as client:
        await closed_loop(client, shots, CALLERS, after(1.0))
        asked = [asyncio.create_task(fire(client, shots[number % len(shots)])) for number in range(2 * CALLERS)]
        # Until the service has them: what it has not yet accepted, it may refuse.
        await asyncio.sleep(0.1)
        answered_before = sum(one.done() for one in asked)
        served.terminate()
        heard = await asyncio.gather(*asked)
    answered = sum(each.status == 200 for each in heard)
    return {"ended_in_flight": len(heard) - answered_before, "ended_answered": answered - answered_before}
