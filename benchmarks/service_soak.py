"""Soak: a steady mixed load for long, and whether memory or latency grow."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.hostile_images import ODDITIES
from benchmarks.service_load import after, client_of, open_loop
from benchmarks.service_posts import JSON, Heard, Shot, as_json, form, percentiles, sample_posts
from benchmarks.service_process import Served
from gemel.core.schema import Post

LOAD = 0.7
# Requests until allocators and caches have what they keep.
WARM_UP = 5_000
PER = 10_000
# Of a hundred requests. Links with what is due come from the shots.
MIX = {"link": 70, "batch": 5, "explain": 3, "entities": 10, "feedback": 4, "bad": 8}
WEIGHTS = {"link": 1, "batch": 4, "explain": 4, "entities": 0, "feedback": 0, "bad": 0}


@dataclass(frozen=True)
class Watched:
    """Memory of the worker at a time, in MiB, and the requests sent until then."""

    requests: int
    mib: float


def mixed(shots: Sequence[Shot], count: int) -> list[Shot]:
    """Requests of all kinds in a drawn order. count: of a round."""
    rng, posts = np.random.default_rng(2), sample_posts(len(shots))
    kinds = rng.choice(list(MIX), size=count, p=np.array(list(MIX.values())) / sum(MIX.values()))
    return [_of_kind(str(kind), shots, posts, int(rng.integers(len(posts)))) for kind in kinds]


async def soak(served: Served, shots: Sequence[Shot], most: float, seconds: float, warm_up: int) -> dict[str, object]:
    """The figures. most: links per second that the service can do. warm_up: requests before memory is looked at.

    growth_mib: of the worker in 10,000 requests, the slope of a line through its memory after the warm-up.
    """
    round_of_shots = mixed(shots, 1_000)
    weight = sum(share * WEIGHTS[kind] for kind, share in MIX.items()) / sum(MIX.values())
    per_s, watched, stop = LOAD * most / weight, list[Watched](), after(seconds)
    begun = time.monotonic()

    async def watch() -> None:
        while not stop():
            sent = int((time.monotonic() - begun) * per_s)
            watched.append(Watched(sent, await asyncio.to_thread(served.resident_mib)))
            await asyncio.sleep(1.0)

    async with client_of(served) as client:
        heard, _ = await asyncio.gather(open_loop(client, round_of_shots, per_s, stop), watch())
    return {"soak_s": seconds, "soak_requests_per_s": per_s} | _summed(heard, watched, warm_up)


def _summed(heard: Sequence[Heard], watched: Sequence[Watched], warm_up: int) -> dict[str, object]:
    warm = [each for each in watched if each.requests >= warm_up]
    answered = sorted((each for each in heard if each.status == 200), key=lambda each: each.sent)
    quarter = len(answered) // 4
    figures: dict[str, object] = {
        "soak_requests": len(heard),
        "soak_statuses": json.dumps({str(key): n for key, n in sorted(Counter(each.status for each in heard).items())}),
        "errors_5xx": sum(each.status >= 500 or not each.status for each in heard),
        "wrong_answers": sum(each.wrong for each in heard),
        "resident_mib": watched[-1].mib,
    }
    for name, part in (("first", answered[:quarter]), ("last", answered[len(answered) - quarter :])):
        figures |= {f"soak_p99_ms_{name}_quarter": percentiles(part).get("p99_ms", float("nan"))}
    if len(warm) > 2:
        slope = np.polyfit([each.requests for each in warm], [each.mib for each in warm], 1)[0]
        figures |= {"growth_mib": float(slope * PER), "growth_over_requests": warm[-1].requests - warm[0].requests}
    return figures


def _of_kind(kind: str, shots: Sequence[Shot], posts: Sequence[Post], place: int) -> Shot:
    post = posts[place]
    if kind == "link":
        return shots[place]
    if kind == "batch":
        some = [as_json(posts[(place + step) % len(posts)]) for step in range(4)]
        return _message(kind, "/link_batch", {"posts": some}, 4)
    if kind == "explain":
        return _message(kind, "/link", as_json(post, explain=True), 1)
    if kind == "feedback":
        mention = post.mentions[0].text
        return _message(kind, "/feedback", {"text": post.text, "mention": mention, "entity_id": None}, 0)
    if kind == "entities":
        return Shot(kind, f"/entities?prefix={post.mentions[0].text[:2]}", b"", mentions=0, method="GET")
    return _bad(post, place)


def _bad(post: Post, place: int) -> Shot:
    """A request to be refused: a damaged image, a field too much, no text."""
    oddities = list(ODDITIES.values())
    fields = {"text": post.text, "mention": post.mentions[0].text}
    if place % 3 == 0:
        return Shot("bad", "/link", *form(fields, oddities[place % len(oddities)].build()), mentions=0)
    if place % 3 == 1:
        return Shot("bad", "/link", *form(fields | {"unknown": "x"}), mentions=0)
    return Shot("bad", "/link", b'{"text": ""}', mentions=0)


def _message(kind: str, path: str, message: dict[str, object], mentions: int) -> Shot:
    return Shot(kind, path, json.dumps(message).encode(), JSON, mentions=mentions)
