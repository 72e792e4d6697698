"""Requests for the sample's posts, and what the library's own linker answers them."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from benchmarks.sample_release import load_quietly
from benchmarks.service_process import ROOT
from gemel.core.schema import Post
from gemel.posts.requests import parse_request
from gemel.predictor import Linker
from gemel.wire import found_link

SAMPLE = ROOT / "data" / "sample"
# Scores of a mention differ by rounding with what it is linked together with.
TOLERANCE = 1e-4
JSON = "application/json"
Fields = dict[str, Any]


@dataclass(frozen=True)
class Shot:
    """A request, whole, with the links that are due by release; none where they are not looked at.

    kind: what it is for. mentions: that it asks to have linked.
    """

    kind: str
    path: str
    body: bytes
    content_type: str = JSON
    due: tuple[tuple[str, tuple[Fields, ...]], ...] = ()
    mentions: int = 1
    method: str = "POST"


@dataclass(frozen=True)
class Heard:
    """What came back. status: 0 if nothing did. sent: seconds of time.monotonic. wrong: whether links are not the due
    ones."""

    kind: str
    status: int
    sent: float
    seconds: float
    mentions: int = 0
    release: str = ""
    wrong: bool = False


def sample_posts(count: int) -> list[Post]:
    """Posts of the test split whose image, if any, can be read."""
    with (SAMPLE / "posts.jsonl").open(encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines)
        test = islice((row for row in rows if row["split"] == "test"), count)
        return [parse_request(row, row["id"], SAMPLE) for row in test]


def due_links(linker: Linker, posts: Sequence[Post]) -> list[tuple[Fields, ...]]:
    """The links of each post, by itself, as the service sends them."""
    return [tuple(found_link(link).model_dump(mode="json") for link in linker.link([post])) for post in posts]


def make_shots(posts: Sequence[Post], due: dict[str, list[tuple[Fields, ...]]]) -> list[Shot]:
    """A form for each post. due: links by release."""
    return [
        Shot(
            "link",
            "/link",
            *form(_fields(post), None if post.image is None else post.image.read_bytes()),
            due=tuple((release, links[place]) for release, links in due.items()),
            mentions=len(post.mentions),
        )
        for place, post in enumerate(posts)
    ]


def shots_of(release: Path, name: str, count: int) -> list[Shot]:
    """Forms for posts of the sample, with the links of a release. name: as the service names it."""
    posts = sample_posts(count)
    return make_shots(posts, {name: due_links(load_quietly(release), posts)})


def form(fields: dict[str, str], image: bytes | None = None) -> tuple[bytes, str]:
    """A multipart body and its type of content."""
    mark = uuid.uuid4().hex
    parts = [f'content-disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    if image is not None:
        head = b'content-disposition: form-data; name="image"; filename="a"\r\ncontent-type: image/png\r\n\r\n'
        parts.append(head + image)
    lines = b"".join(b"--" + mark.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return lines + b"--" + mark.encode() + b"--\r\n", f"multipart/form-data; boundary={mark}"


def as_json(post: Post, **more: object) -> Fields:
    """The message for a post."""
    image = None if post.image is None else base64.b64encode(post.image.read_bytes()).decode()
    mentions = [{"mention": one.text, "start": one.start, "end": one.end} for one in post.mentions]
    return {"text": post.text, "mentions": mentions, "image": image} | more


async def fire(client: httpx.AsyncClient, shot: Shot) -> Heard:
    """Send a request and look at its answer."""
    sent = time.monotonic()
    headers = {"content-type": shot.content_type}
    try:
        reply = await client.request(shot.method, shot.path, content=shot.body, headers=headers)
    except httpx.HTTPError:
        return Heard(shot.kind, 0, sent, time.monotonic() - sent)
    seconds = time.monotonic() - sent
    if reply.status_code != 200 or not shot.due:
        return Heard(shot.kind, reply.status_code, sent, seconds, shot.mentions)
    answer = reply.json()
    due = dict(shot.due).get(answer["release"])
    wrong = due is None or not alike(answer["links"], due)
    return Heard(shot.kind, 200, sent, seconds, shot.mentions, answer["release"], wrong)


def alike(found: object, due: object) -> bool:
    """Whether two answers have equal fields; numbers may differ by TOLERANCE."""
    if isinstance(found, float) and isinstance(due, (int, float)):
        return abs(found - due) <= TOLERANCE
    if isinstance(found, dict) and isinstance(due, dict):
        return found.keys() == due.keys() and all(alike(found[key], due[key]) for key in found)
    if isinstance(found, (list, tuple)) and isinstance(due, (list, tuple)):
        return len(found) == len(due) and all(map(alike, found, due))
    return found == due


def percentiles(heard: Iterable[Heard]) -> dict[str, float]:
    """p50_ms, p95_ms and p99_ms of what was heard; nothing of nothing."""
    found = sorted(1_000 * each.seconds for each in heard)
    return {f"p{share}_ms": found[(len(found) - 1) * share // 100] for share in (50, 95, 99) if found}


def _fields(post: Post) -> dict[str, str]:
    mentions = [{"mention": one.text, "start": one.start, "end": one.end} for one in post.mentions]
    return {"text": post.text, "mentions": json.dumps(mentions)}
