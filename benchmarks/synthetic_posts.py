"""A data set of any size in the project's own format, the same at each call, with rows that are broken on purpose.

It counts itself what must come out of it, so that a reader that loses a row can't agree with it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ENTITIES = 20_000
MIB = 2**20
# One post in so many is a broken line, and one in so many has a broken mention more, each kind in turn.
BROKEN_EVERY, BROKEN_MENTION_EVERY = 500, 499
# Longer than the reader takes.
LONG_LINE_MIB = 40
GIVEN = ("Ada", "Boris", "Clara", "Dmitri", "Élodie", "Farid", "Greta", "Hugo", "Ingrid", "Jörg", "Keiko", "Łucja")
FAMILY = ("Abernathy", "Bianchi", "Dubrovský", "Eriksson", "Fitzgerald", "Hashimoto", "Kowalczyk", "Okonkwo", "Øster")
TYPES = ("painter", "footballer", "river", "town", "novel")
TEXTS = (
    "Great shot of {0} this morning, more to come on page {2}",
    "The archive shows {0} and {1} after the rain; plate {2}, scanned by my sister 🐆",
    "{0} made the front row, said the paper in its issue {2}, and {1} was not amused at all",
    "Everyone here talks about {0}: number {2} of a long series of letters that nobody had opened before",
)


@dataclass
class Expected:
    """Rows that must be in each table: all good ones, and as many rejected ones as were broken."""

    posts: int = 0
    mentions: int = 0
    entities: int = 0
    rejected: int = 0


def write_images(folder: Path, images: int) -> None:
    """Write small images, no two alike, as image_name(number): three PNGs, then a JPEG, and so on."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(images):
        pixels = rng.integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG" if number % 4 == 3 else "PNG")
        (folder / image_name(number)).write_bytes(buffer.getvalue())


def image_name(number: int) -> str:
    return f"{number:05d}.{'jpg' if number % 4 == 3 else 'png'}"


def write_dataset(folder: Path, posts: int, images: int) -> Expected:
    """Write posts.jsonl, entities.jsonl and dataset.json.

    posts: lines of posts.jsonl, the broken ones among them, besides one of LONG_LINE_MIB at the end.
    images: how many different ones the posts share.
    """
    expected = Expected()
    (folder / "dataset.json").write_text(json.dumps({"name": folder.name, "format": 1}))
    with (folder / "entities.jsonl").open("wb") as file:
        for number in range(ENTITIES):
            file.write(_line(_entity(number)))
            expected.entities += 1
        for broken in BROKEN_ENTITIES:
            file.write(_line(broken))
            expected.rejected += 1
    with (folder / "posts.jsonl").open("wb") as file:
        for number in range(posts):
            file.write(_post_line(number, images, expected))
        for _ in range(LONG_LINE_MIB):
            file.write(b"x" * MIB)
        expected.rejected += 1
    return expected


def label(number: int) -> str:
    """The label of an entity; a few share one."""
    number //= 2
    given, family = number % len(GIVEN), number // len(GIVEN) % len(FAMILY)
    return f"{GIVEN[given]} {FAMILY[family]} {number // (len(GIVEN) * len(FAMILY)) + 1}"


def _entity(number: int) -> dict[str, Any]:
    entity = {"id": f"Q{number}", "label": label(number), "type": TYPES[number % len(TYPES)], "popularity": number % 97}
    return entity | ({"aliases": [f"The {label(number)}"]} if number % 3 == 0 else {})


def _post_line(number: int, images: int, expected: Expected) -> bytes:
    if number % BROKEN_EVERY == BROKEN_EVERY - 1:
        expected.rejected += 1
        return BROKEN_POSTS[number // BROKEN_EVERY % len(BROKEN_POSTS)](number) + b"\n"
    post = _post(number, images)
    expected.posts += 1
    expected.mentions += len(post["mentions"])
    if number % BROKEN_MENTION_EVERY == BROKEN_MENTION_EVERY - 1:
        post["mentions"].append(BROKEN_MENTIONS[number // BROKEN_MENTION_EVERY % len(BROKEN_MENTIONS)](number))
        expected.rejected += 1
    return _line(post)


def _post(number: int, images: int) -> dict[str, Any]:
    """A good post: in turn with and without an image, which may be missing; with mentions of all kinds."""
    first, second = number * 7919 % ENTITIES, number * 104_729 % ENTITIES
    text = TEXTS[number % len(TEXTS)].format(label(first), label(second), number)
    mentions = [_mention(number, 0, label(first), first, text)]
    if number % 4 in (1, 2):
        mentions.append(_mention(number, 1, label(second), second, text))
    split = "test" if number % 10 == 0 else "dev" if number % 10 == 1 else "train"
    post = {"id": f"p{number:07d}", "text": text, "split": split, "mentions": mentions}
    if number % 5:
        # A thousandth of the images isn't there.
        post["image"] = f"images/{'no' if number % 1000 == 7 else ''}{image_name(number * 31 % images)}"
    return post | ({"caption": f"a {TYPES[number % len(TYPES)]}"} if number % 7 == 0 else {})


def _mention(number: int, place: int, words: str, entity: int, text: str) -> dict[str, Any]:
    mention: dict[str, Any] = {"id": f"m{number:07d}-{place}", "mention": words, "entity": f"Q{entity}"}
    match (number + place) % 20:
        case 0 | 1:
            mention["entity"] = None
        case 2:
            mention["entity"] = f"Q{ENTITIES + entity}"
        case 3:
            mention["mention"] = f"the great {words}"
    if number % 3 == 0 and mention["mention"] in text:
        start = text.index(words)
        mention |= {"start": start, "end": start + len(words)}
    return mention


def _line(row: object) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _good(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"b{number}", "text": "A broken post", "split": "train", "mentions": []} | changes


BROKEN_POSTS: tuple[Callable[[int], bytes], ...] = (
    lambda number: _line(_good(number))[:-20],
    lambda number: _line(_good(number, text="Ein Jägüär")).rstrip().decode().encode("latin-1"),
    lambda number: _line(_good(number, id="p0000000")).rstrip(),
    lambda number: _line(_good(number, id=number)).rstrip(),
    lambda number: _line(_good(number, text=float("nan"))).rstrip(),
    lambda number: _line(_good(number, text="  ")).rstrip(),
    lambda number: _line(_good(number, text="half \0 a text")).rstrip(),
    lambda number: _line(_good(number, split="valid")).rstrip(),
    lambda number: _line(_good(number, mentions=None)).rstrip(),
    lambda number: _line(_good(number)).rstrip().replace(b"b", b"\\ud83d", 1),
    lambda number: _line(_good(number)).rstrip().replace(b'"id"', b'"id": "twice", "id"'),
)
BROKEN_MENTIONS: tuple[Callable[[int], Any], ...] = (
    lambda number: {"id": f"b{number}", "mention": "shot", "entity": None, "start": 1, "end": 5},
    lambda _: {"id": "m0000000-0", "mention": "shot", "entity": None},
    lambda number: {"id": f"b{number}", "mention": "shot"},
    lambda _: "shot",
)
BROKEN_ENTITIES = ({"id": "Q-1"}, {"id": "Q-2", "label": " "}, {"id": "Q7", "label": "the seventh again"})
