"""Limits: what is just within each is answered, one more is refused with a sentence."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import polars as pl
from PIL import Image

from benchmarks.hostile_images import chunk, png
from benchmarks.service_load import client_of
from benchmarks.service_posts import JSON
from benchmarks.service_process import Served
from bento.settings import ServiceSettings
from gemel.bundle import ENTITIES

WORD = "Jaguar"
PIXEL_ROWS = 5_000
Fields = Mapping[str, object]


@dataclass(frozen=True)
class Edge:
    """A limit. within, beyond: bodies that lie on either side of it. words: of the refusal."""

    name: str
    path: str
    within: bytes
    beyond: bytes
    words: str
    status: int = 400


def edges(settings: ServiceSettings, release: Path) -> list[Edge]:
    """One for each limit of a request. release: whose entities candidates are taken from."""
    ids = pl.read_parquet(release / ENTITIES)["entity_id"].head(settings.max_candidates + 1).to_list()

    def link(name: str, most: int, words: str, **fields: tuple[object, object]) -> Edge:
        bodies = (_link(**{key: pair[side] for key, pair in fields.items()}) for side in (0, 1))
        return Edge(name, "/link", *bodies, words=f"{words} more than the {most} allowed")

    text, mention, top_k = settings.max_text, settings.max_mention, settings.max_top_k
    padded = [WORD + "x" * (mention + more - len(WORD)) for more in (0, 1)]
    several = [[WORD] * (settings.max_mentions + more) for more in (0, 1)]
    among = [[{"mention": WORD, "candidates": ids[: settings.max_candidates + more]}] for more in (0, 1)]
    images = [_picture_of_bytes(int(settings.max_image) + more) for more in (0, 1)]
    pixels = [_picture_of(PIXEL_ROWS, settings.max_pixels // PIXEL_ROWS + more) for more in (0, 1)]
    return [
        link(
            "text", text, f"text: {text + 1},", text=((WORD + " ").ljust(text, "x"), (WORD + " ").ljust(text + 1, "x"))
        ),
        link(
            "mention",
            mention,
            f"mention: {mention + 1},",
            text=(padded[0], padded[1]),
            mentions=([padded[0]], [padded[1]]),
        ),
        link("mentions", settings.max_mentions, f"mentions: {len(several[1])},", mentions=(several[0], several[1])),
        link(
            "candidates",
            settings.max_candidates,
            f"candidates: {settings.max_candidates + 1},",
            mentions=(among[0], among[1]),
        ),
        link("top_k", top_k, f"top_k: {top_k + 1},", top_k=(top_k, top_k + 1)),
        link("image bytes", int(settings.max_image), " bytes,", image=(images[0], images[1])),
        link("pixels", settings.max_pixels, " pixels,", image=(pixels[0], pixels[1])),
        *_batches(settings),
        Edge(
            "body",
            "/link",
            *_bodies(int(settings.max_body)),
            words=f"more than the {int(settings.max_body)}",
            status=413,
        ),
    ]


async def limits(served: Served, release: Path) -> dict[str, object]:
    """The figures. over_limits: limits that a request just within was refused by, or one beyond wasn't."""
    wrong, tried = list[str](), 0
    async with client_of(served) as client:
        for edge in edges(ServiceSettings(), release):
            tried += 2
            within = await _send(client, edge.path, edge.within)
            if within.status_code != 200 or "more than" in within.text:
                wrong.append(f"{edge.name} within: {within.status_code} {within.text[:300]}")
            beyond = await _send(client, edge.path, edge.beyond)
            if beyond.status_code != edge.status or edge.words not in beyond.json()["error"]:
                wrong.append(f"{edge.name} beyond: {beyond.status_code} {beyond.text[:300]}")
    return {"limits_tried": tried, "over_limits": len(wrong), "over_limits_found": wrong}


async def _send(client: httpx.AsyncClient, path: str, body: bytes) -> httpx.Response:
    return await client.post(path, content=body, headers={"content-type": JSON})


def _link(**fields: object) -> bytes:
    return json.dumps({"text": f"The {WORD}", "mentions": [WORD]} | fields).encode()


def _batches(settings: ServiceSettings) -> list[Edge]:
    posts, mentions = settings.max_posts, settings.max_batch_mentions
    few = [[{"text": f"The {WORD}", "mentions": [WORD]}] * (posts + more) for more in (0, 1)]
    each = mentions // posts
    full = {"text": f"The {WORD}", "mentions": [WORD] * each}
    more = {"text": f"The {WORD}", "mentions": [WORD] * (each + 1)}
    heavy = [[full] * posts, [*[full] * (posts - 1), more]]
    return [
        Edge(name, "/link_batch", *(json.dumps({"posts": some}).encode() for some in pair), words=f"{most} allowed")
        for name, pair, most in (("posts", few, posts), ("batch mentions", heavy, mentions))
    ]


def _bodies(most: int) -> tuple[bytes, bytes]:
    message = _link()
    return message.ljust(most), message.ljust(most + 1)


def _picture_of_bytes(size: int) -> str:
    """A picture whose file has so many bytes, in base64."""
    empty = len(png(chunk(b"prIv")))
    return base64.b64encode(png(chunk(b"prIv", bytes(size - empty)))).decode()


def _picture_of(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
