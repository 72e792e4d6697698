"""Malformed requests, drawn from a seed: damaged pictures, messages and forms, and what is no HTTP at all."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.hostile_images import ODDITIES, mutated
from benchmarks.service_posts import JSON, form
from benchmarks.service_raw import RAW
from benchmarks.service_wire import Attack, request

Draw = Callable[[np.random.Generator, Sequence[bytes]], Attack]

MESSAGES: dict[str, dict[str, Any]] = {
    "/link": {
        "text": "Great shot of the Jaguar this morning",
        "mentions": [{"mention": "Jaguar", "start": 18, "end": 24, "candidates": ["Q30055", "Q35694"], "type": ""}],
        "image": None,
        "image_url": None,
        "top_k": 2,
        "explain": False,
    },
    "/link_batch": {"posts": [{"text": "The Jaguar", "mentions": ["Jaguar"]}, {"text": "Mercury at dusk"}]},
    "/feedback": {
        "text": "The Jaguar",
        "mention": "Jaguar",
        "start": 4,
        "end": 10,
        "entity_id": "Q30055",
        "image": None,
        "answered": "Q35694",
        "comment": "",
    },
}
_DEEP: list[Any] = []
for _ in range(100):
    _DEEP = [_DEEP]
# Put in the place of any value of a message.
NASTY: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2**31, 2**63, 2**64, 10**400, -0.0, 1.5, float("nan"), float("inf"), 1e308),
    *("", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "e\u0301", "😀" * 50, "Jaguar" * 2_000),
    *("' OR 1=1 --", "${7*7}", "{{7*7}}", "../../etc/passwd", "<script>", "%s%n", "\r\nX: y", "file:///etc/passwd"),
    *([], [[]], [None], {}, {"": ""}, {"__proto__": 1}, ["Jaguar"] * 200, _DEEP, "AAAA", "====", "data:,x"),
)
FIELDS = {"text": "The Jaguar", "mention": "Jaguar", "top_k": "2", "explain": "false"}
FORM_VALUES = ("", " ", "\0", "null", "NaN", "-1", "1e9", "[]", "{}", "[", '["a"]', "true", "a" * 5_000, "\ud800", "💥")


def damaged_picture(rng: np.random.Generator, pictures: Sequence[bytes]) -> Attack:
    """A picture with flipped bits, cut off, mixed with another."""
    image = mutated(rng, list(pictures))
    body, kind = form(FIELDS, image)
    return Attack("damaged picture", (request(body=body, headers={"content-type": kind}),))


def odd_picture(rng: np.random.Generator, _: Sequence[bytes]) -> Attack:
    """A bomb or an oddity."""
    names = list(ODDITIES)
    image = ODDITIES[names[rng.integers(len(names))]].build()
    body, kind = form(FIELDS, image)
    return Attack("odd picture", (request(body=body, headers={"content-type": kind}),))


def wrong_value(rng: np.random.Generator, _: Sequence[bytes]) -> Attack:
    """A message with something else in the place of up to three of its values, or a field more or less."""
    path = _one(rng, list(MESSAGES))
    message: Any = copy.deepcopy(MESSAGES[path])
    for _try in range(rng.integers(1, 4)):
        places = list(_places(message))
        if not places:
            break
        holder, key = places[rng.integers(len(places))]
        if rng.random() < 0.1:
            del holder[key]
        elif rng.random() < 0.1 and isinstance(holder, dict):
            holder["unknown"] = _one(rng, NASTY)
        else:
            holder[key] = copy.deepcopy(_one(rng, NASTY))
    return Attack("wrong value", (request(path, json.dumps(message).encode(), {"content-type": JSON}),))


def broken_json(rng: np.random.Generator, _: Sequence[bytes]) -> Attack:
    """The bytes of a message, damaged."""
    path = _one(rng, list(MESSAGES))
    body = json.dumps(MESSAGES[path]).encode()
    cut = int(rng.integers(len(body)))
    broken = _one(
        rng,
        (
            body[:cut],
            body + body,
            b"\xef\xbb\xbf" + body,
            body.decode().encode("utf-16"),
            body[:cut] + bytes(rng.integers(256, size=3).tolist()) + body[cut:],
            b'{"text": "a", "text": "The Jaguar", "mentions": ["Jaguar"], "mentions": [7]}',
            b"[" * 50_000 + b"]" * 50_000,
            b'{"posts":' * 20_000,
            b'{"text": "\\ud800", "mentions": ["Jaguar"]}',
            b'{"text": "\xed\xa0\x80", "mentions": ["Jaguar"]}',
            b'{"top_k": ' + b"9" * 10_000 + b"}",
            rng.bytes(300),
            b"",
        ),
    )
    return Attack("broken JSON", (request(path, broken, {"content-type": JSON}),))


def wrong_form(rng: np.random.Generator, pictures: Sequence[bytes]) -> Attack:
    """A form with fields twice, unknown, absent or as files, or whose bytes are damaged."""
    fields = dict(FIELDS)
    for name in _some(rng, [*FIELDS, "mentions", "image_url", "type", "candidate", "nobody"]):
        fields[name] = _one(rng, FORM_VALUES).encode("utf-8", "replace").decode()
    body, kind = form(fields, pictures[0] if rng.random() < 0.3 else None)
    cut = int(rng.integers(len(body)))
    mark = kind.partition("boundary=")[2].encode()
    again = b'content-disposition: form-data; name="text"\r\n\r\nmore\r\n--' + mark + b"\r\n"
    change = int(rng.integers(6))
    changed = (
        body,
        body[:cut],
        body[:cut] + rng.bytes(8) + body[cut:],
        body.replace(b'name="text"', b'name="text"; filename="x"', 1),
        body.replace(b"content-disposition", b"content-dispositio\xff", 1),
        b"--" + mark + b"\r\n" + again + body.partition(b"\r\n")[2],
    )[change]
    kind += _one(rng, ("", "", "; charset=undefined", "; charset=idna", "; charset=utf-7", "; charset=utf-16", "x"))
    return Attack("wrong form", (request(body=changed, headers={"content-type": kind}),))


def wrong_type(rng: np.random.Generator, _: Sequence[bytes]) -> Attack:
    """A body that is said to be something else."""
    kinds = ("", "text/plain", "application/xml", "application/json; charset=utf-16", "multipart/form-data", "*/*")
    kind = _one(rng, (*kinds, "application/x-www-form-urlencoded", "multipart/form-data; boundary=", "a" * 500, "\xff"))
    body = _one(rng, (json.dumps(MESSAGES["/link"]).encode(), b"text=%ff&mention=%", b"a=b;c=d&" * 500, b"<a/>"))
    return Attack("wrong content type", (request(_one(rng, list(MESSAGES)), body, {"content-type": kind}),))


def wrong_query(rng: np.random.Generator, _: Sequence[bytes]) -> Attack:
    """A look-up with a query that is none."""
    prefix = _one(rng, ("", "jag", "%", "%00", "%ed%a0%80", "%ff", "a" * 300, "a" * 20_000, "%F0%9F%92%A5", "..%2f"))
    limit = _one(rng, ("", "&limit=0", "&limit=101", "&limit=NaN", "&limit=" + "9" * 5_000, "&limit=1&limit=2"))
    path = _one(rng, (f"/entities?prefix={prefix}{limit}", f"/entities/{prefix}", f"/page/{prefix}", f"/{prefix}"))
    return Attack("wrong query", (request(path, method="GET"),))


def raw(rng: np.random.Generator, _: Sequence[bytes]) -> Attack:
    """What is no HTTP, or hardly."""
    return _one(rng, RAW)(rng)


# More of what reaches deep into the service.
DRAWS: tuple[tuple[Draw, float], ...] = (
    *((damaged_picture, 0.2), (odd_picture, 0.05), (wrong_value, 0.3), (broken_json, 0.1), (wrong_form, 0.15)),
    *((wrong_type, 0.05), (wrong_query, 0.05), (raw, 0.1)),
)


def attacks(count: int, pictures: Sequence[bytes]) -> Iterator[Attack]:
    """So many, the same each time. pictures: good ones, to be damaged."""
    shares = [share for _, share in DRAWS]
    for number in range(count):
        rng = np.random.default_rng([1, number])
        draw, _ = DRAWS[rng.choice(len(DRAWS), p=shares)]
        yield draw(rng, pictures)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each holder and key within a message."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def _one(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


def _some(rng: np.random.Generator, values: Sequence[str]) -> list[str]:
    return [value for value in values if rng.random() < 0.25]
