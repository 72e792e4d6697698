"""Malformed requests by the thousand: none may be answered with an error of the service, nor end it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import httpx
import hypothesis
import schemathesis
from schemathesis import GenerationMode

from benchmarks.service_load import client_of
from benchmarks.service_mutations import attacks
from benchmarks.service_posts import SAMPLE, Shot, fire
from benchmarks.service_process import Served
from benchmarks.service_raw import large_attacks, slow_attacks
from benchmarks.service_wire import Attack, Fate, request, send
from bento.settings import ServiceSettings

AT_ONCE, PICTURES = 8, 20
# Of all requests, those that are drawn from the service's own description.
FROM_DESCRIPTION = 0.3
SHOWN = 10


async def malformed(served: Served, shots: Sequence[Shot], count: int, upload_s: float) -> dict[str, object]:
    """Send them and sum up. upload_s: how long the service waits for a body.

    crashes: whether the worker is another one afterwards, or doesn't answer. errors_5xx: those of which nobody
    should hear. unanswered: by kind, connections that ended without an answer. no_sentence: by kind, refusals
    without a sentence in JSON.
    """
    pid = served.worker().pid
    drawn = await asyncio.to_thread(lambda: list(described(served.url, int(count * FROM_DESCRIPTION))))
    pictures = [path.read_bytes() for path in sorted((SAMPLE / "images").iterdir())[:PICTURES]]
    own = attacks(count - len(drawn), pictures)
    fates = await _all(served.port, itertools.chain(drawn, own))
    fates += await _all(served.port, large_attacks(ServiceSettings().max_body))
    slow = slow_attacks(upload_s + 3)
    fates += await asyncio.gather(*(send(served.port, attack, upload_s + 5) for attack in slow))
    async with client_of(served) as client:
        last = await fire(client, shots[0])
    return summed(fates) | {"crashes": int(served.worker().pid != pid or last.status != 200 or last.wrong)}


def summed(fates: Sequence[Fate]) -> dict[str, object]:
    """Statuses, and what should not be."""
    statuses = Counter(fate.status for fate in fates)
    errors = [fate for fate in fates if fate.status >= 500]
    slowest = max(fates, key=lambda fate: fate.seconds if fate.status else 0.0)
    silent = Counter(fate.kind for fate in fates if 400 <= fate.status < 500 and fate.sentence is None)
    return {
        "malformed_tried": len(fates),
        "malformed_statuses": json.dumps({str(status): statuses[status] for status in sorted(statuses)}),
        "errors_5xx": len(errors),
        "errors": [f"{fate.kind}: {fate.status} {fate.sentence}" for fate in errors[:SHOWN]],
        "unanswered": json.dumps(Counter(fate.kind for fate in fates if not fate.status)),
        "no_sentence": json.dumps(silent),
        "slowest_answer_s": slowest.seconds,
        "slowest_answer": slowest.kind,
    }


def described(url: str, count: int) -> Iterator[Attack]:
    """Requests that fit the service's description, and such that don't, drawn by schemathesis."""
    schema = schemathesis.openapi.from_dict(httpx.get(f"{url}/openapi.json", timeout=60).json())
    operations = [found.ok() for found in schema.get_all_operations()]
    modes = list(itertools.product(operations, GenerationMode))
    for operation, mode in modes:
        cases = list[schemathesis.Case]()
        _draw(operation.as_strategy(generation_mode=mode), cases, max(1, count // len(modes)))
        for case in cases:
            sent = case.as_transport_kwargs(base_url=url)
            yield _as_attack(sent, f"{mode.value} case")


def _draw(strategy: hypothesis.strategies.SearchStrategy, cases: list[schemathesis.Case], count: int) -> None:
    @hypothesis.given(strategy)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def collect(case: schemathesis.Case) -> None:
        cases.append(case)

    # Not each operation can be asked wrongly: some have nothing to give.
    try:
        collect()
    except (hypothesis.errors.Unsatisfiable, hypothesis.errors.InvalidArgument, schemathesis.errors.SchemathesisError):
        return


def _as_attack(sent: dict[str, object], kind: str) -> Attack:
    """What schemathesis gives the client `requests`, as bytes."""
    import requests

    known = {"method", "url", "headers", "params", "data", "files", "json", "cookies"}
    prepared = requests.Request(**{name: value for name, value in sent.items() if name in known}).prepare()
    body = prepared.body.encode() if isinstance(prepared.body, str) else bytes(prepared.body or b"")
    headers = [(name, _latin(value)) for name, value in prepared.headers.items() if name.lower() != "content-length"]
    return Attack(kind, (request(prepared.path_url, body, headers, str(prepared.method)),))


def _latin(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


async def _all(port: int, coming: Iterable[Attack]) -> list[Fate]:
    fates, left = list[Fate](), iter(coming)

    async def attack() -> None:
        for each in left:
            fates.append(await send(port, each))

    await asyncio.gather(*(attack() for _ in range(AT_ONCE)))
    return fates
