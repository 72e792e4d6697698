"""Load: latency and throughput at several concurrencies, more than the service can do, and batches against none."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence

import httpx

from benchmarks.service_posts import Heard, Shot, fire, percentiles
from benchmarks.service_process import Served
from bento.settings import ServiceSettings

CONCURRENCIES = (1, 8, 32)
# A connection for each request that waits.
UNLIMITED = httpx.Limits(max_connections=None, max_keepalive_connections=512)
Stop = Callable[[], bool]


def client_of(served: Served, timeout: float = 120.0) -> httpx.AsyncClient:
    """A client of a service, with as many connections as it needs."""
    return httpx.AsyncClient(base_url=served.url, limits=UNLIMITED, timeout=timeout)


async def closed_loop(client: httpx.AsyncClient, shots: Sequence[Shot], at_once: int, stop: Stop) -> list[Heard]:
    """Callers who each send their next request when they have the answer to the last, until stop says so."""
    coming, heard = itertools.cycle(shots), list[Heard]()

    async def call() -> None:
        while not stop():
            heard.append(await fire(client, next(coming)))

    await asyncio.gather(*(call() for _ in range(at_once)))
    return heard


async def open_loop(client: httpx.AsyncClient, shots: Sequence[Shot], per_s: float, stop: Stop) -> list[Heard]:
    """Requests that come at a steady pace, whether or not the earlier ones are answered."""
    begun, sent = time.monotonic(), list[asyncio.Task[Heard]]()
    for shot in itertools.cycle(shots):
        if stop():
            break
        await asyncio.sleep(max(0.0, begun + len(sent) / per_s - time.monotonic()))
        sent.append(asyncio.create_task(fire(client, shot)))
    return list(await asyncio.gather(*sent))


def after(seconds: float) -> Stop:
    """Says so when some time has passed from now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def rate(heard: Sequence[Heard]) -> float:
    """Links per second, of what was answered."""
    answered = [each for each in heard if each.status == 200]
    if not answered:
        return 0.0
    end = max(each.sent + each.seconds for each in answered)
    return sum(each.mentions for each in answered) / (end - min(each.sent for each in answered))


async def capacity(served: Served, shots: Sequence[Shot], seconds: float) -> float:
    """Links per second at 32 callers, after a second that does not count."""
    async with client_of(served) as client:
        await closed_loop(client, shots, 32, after(1.0))
        return rate(await closed_loop(client, shots, 32, after(seconds)))


async def load(served: Served, single: Served, shots: Sequence[Shot], seconds: float) -> dict[str, object]:
    """The figures of load. single: a service that links one mention at a time. seconds: for each of them.

    p50_ms, p95_ms, p99_ms and links_per_s are those at 8 callers; the others have the concurrency in their name.
    excess: requests at twice the rate of 32 callers. wrong_answers: of answers_compared.
    """
    report: dict[str, object] = {}
    heard: list[Heard] = []
    async with client_of(served) as client:
        await closed_loop(client, shots, 32, after(min(seconds, 3.0)))
        for at_once in CONCURRENCIES:
            part = await closed_loop(client, shots, at_once, after(seconds))
            heard += part
            figures = percentiles(part) | {"links_per_s": rate(part)}
            report |= {f"{name}_at_{at_once}": value for name, value in figures.items()}
            report |= figures if at_once == 8 else {}
        most = float(str(report["links_per_s_at_32"]))
        # The room is full only after a while.
        excess = await open_loop(client, shots, 2 * most, after(2 * seconds + ServiceSettings().max_inside / most))
    heard += excess
    report |= _of_excess(excess) | await _batches(served, single, shots, seconds)
    # Those that were compared say by which release they were answered.
    compared = [each for each in heard if each.release]
    report |= {"answers_compared": len(compared), "wrong_answers": sum(each.wrong for each in compared)}
    return report | {"errors_5xx": sum(each.status >= 500 or not each.status for each in heard)}


def _of_excess(heard: Sequence[Heard]) -> dict[str, object]:
    answered = [each for each in heard if each.status == 200]
    refused = [each for each in heard if each.status == 429]
    return {
        "excess_sent": len(heard),
        "excess_answered": len(answered),
        "excess_refused": len(refused),
        "excess_other": len(heard) - len(answered) - len(refused),
        "excess_links_per_s": rate(answered),
        **{f"excess_answered_{name}": value for name, value in percentiles(answered).items()},
        **{f"excess_refused_{name}": value for name, value in percentiles(refused).items()},
        "excess_longest_s": max(each.seconds for each in heard),
    }


async def _batches(served: Served, single: Served, shots: Sequence[Shot], seconds: float) -> dict[str, object]:
    """Batches that grow against batches of one, in turns, at 32 callers."""
    rates: dict[str, list[float]] = {"batched": [], "single": []}
    async with client_of(served) as batched, client_of(single) as alone:
        await closed_loop(alone, shots, 32, after(1.0))
        for _ in range(3):
            for name, client in (("batched", batched), ("single", alone)):
                rates[name].append(rate(await closed_loop(client, shots, 32, after(seconds / 2))))
    ratios = [ours / theirs for ours, theirs in zip(rates["batched"], rates["single"], strict=True)]
    return {"batching_ratio": sorted(ratios)[1], "single_links_per_s": sorted(rates["single"])[1]}
