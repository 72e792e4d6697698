"""Requests that no client sends: lengths that lie, headers that inject, paths that climb, bytes that are no HTTP."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.service_posts import JSON
from benchmarks.service_wire import Attack, Headers, request

BODY = b'{"text": "The Jaguar", "mentions": ["Jaguar"]}'
AS_JSON = {"content-type": JSON}
Rng = np.random.Generator

LENGTHS: tuple[Headers, ...] = (
    *({"content-length": length} for length in ("-1", "abc", "", "0x2e", "1e3", "+46", "46, 46", "46 46", "9" * 30)),
    {"content-length": "10"},
    {"content-length": "21000000"},
    [("content-length", "46"), ("content-length", "47")],
    [("content-length", "46"), ("transfer-encoding", "chunked")],
    {"transfer-encoding": "gzip, chunked"},
    {"transfer-encoding": "identity"},
)
CHUNKS = (
    b"2e\r\n" + BODY + b"\r\n0\r\n\r\n",
    b"zz\r\n" + BODY + b"\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\n" + BODY,
    b"2e;" + b"a" * 70_000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    b"-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    b"2e\r\n" + BODY + b"\r\n0\r\nx: y\r\n" * 20,
    b"1\r\n{\r\n" * 500 + b"0\r\n\r\n",
)
HEADERS: tuple[Headers, ...] = (
    {"x-request-id": "a\r\nset-cookie: b=c"},
    {"x-request-id": "a" * 5_000},
    {"x-request-id": "{{7*7}}\x1b[31m"},
    {"x-forwarded-for": "127.0.0.1", "x-forwarded-host": "evil", "x-original-url": "/metrics", "x-rewrite-url": "/"},
    {"authorization": "Bearer \xff\xfe"},
    {"authorization": "Basic " + "A" * 8_000},
    {"host": "evil\r\nx: y"},
    {"accept-encoding": "gzip;q=nan, *;q=-1"},
    {"cookie": "a=" + "b" * 60_000},
    [(f"x-{number}", "y") for number in range(2_000)],
    {"bad name": "x"},
    {"x": "\0"},
    {"upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="},
    {"upgrade": "h2c", "http2-settings": "AAMAAABkAARAAAAAAAIAAAAA"},
    {"expect": "100-continue"},
    {"expect": "nothing"},
    {"range": "bytes=0-0,-1", "if-match": "*"},
    {"content-encoding": "gzip"},
    {"baggage": "a=" + "b" * 9_000, "traceparent": "00-zz-zz-zz"},
)
METHODS = ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO", "link", "A" * 300, "POST\x0b")
PATHS = (
    *("//link", "/link/", "/LINK", "/./link", "/a/../link", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd"),
    *("/page/..%2fapp.py", "/page/../app.py", "/page/%2e%2e%5capp.py", "/page/index.html%00.png", "/page/", "/page//"),
    *("/link%00", "/link;a=b", "/link?a=b", "/link#a", "*", "http://evil/link", "localhost:80", "link", "/\xff"),
    *("/" + "a" * 9_000, "/" + "a/" * 3_000, "/entities/" + "%F0%9F%92%A5" * 200, "/entities/Q30055%0d%0ax:%20y"),
    *("/docs", "/docs.json", "/static_content/", "/openapi.json", "/metrics", "/healthz", "/static_content/../app.py"),
)
GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # the beginning of TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30),
    b"GET /\r\n\r\n",
    b"POST /link HTTP/9.9\r\n\r\n",
    b"POST /link HTTP/1.0\r\n\r\n",
    b"\r\n" * 1_000,
    b"\0" * 1_000,
    b"A" * 200_000,
    b"POST /link HTTP/1.1\nhost: x\ncontent-length: 0\n\n",
    b"POST  /link  HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /info HTTP/1.1\r\n folded: x\r\nhost: x\r\n\r\n",
)


def _length(rng: Rng) -> Attack:
    headers = LENGTHS[rng.integers(len(LENGTHS))]
    given = list(headers.items()) if isinstance(headers, dict) else list(headers)
    return Attack("lying length", (request(body=BODY, headers=[*AS_JSON.items(), *given]),))


def _chunks(rng: Rng) -> Attack:
    body = CHUNKS[rng.integers(len(CHUNKS))]
    return Attack("odd chunks", (request(body=body, headers=AS_JSON | {"transfer-encoding": "chunked"}),))


def _headers(rng: Rng) -> Attack:
    headers = HEADERS[rng.integers(len(HEADERS))]
    given = list(headers.items()) if isinstance(headers, dict) else list(headers)
    return Attack("odd headers", (request(body=BODY, headers=[*AS_JSON.items(), *given]),))


def _method(rng: Rng) -> Attack:
    path = ("/link", "/link_batch", "/entities", "/info", "/")[rng.integers(5)]
    return Attack("wrong method", (request(path, BODY, AS_JSON, METHODS[rng.integers(len(METHODS))]),))


def _path(rng: Rng) -> Attack:
    return Attack("odd path", (request(PATHS[rng.integers(len(PATHS))], method=("GET", "POST")[rng.integers(2)]),))


def _garbage(rng: Rng) -> Attack:
    return Attack("no HTTP", (rng.bytes(500) if rng.random() < 0.3 else GARBAGE[rng.integers(len(GARBAGE))],))


def slow_attacks(seconds: float) -> list[Attack]:
    """Heads and bodies that come a byte at a time, for so many seconds."""
    whole = request(body=BODY, headers=AS_JSON)
    head, _, body = whole.partition(b"\r\n\r\n")
    steps = int(seconds / 0.2)
    return [
        Attack("slow head", tuple(bytes([byte]) for byte in head[:steps]), 0.2),
        Attack("slow body", (head + b"\r\n\r\n", *(bytes([byte]) for byte in body[:steps])), 0.2),
        Attack("head alone", (head,)),
        Attack("body that never comes", (head + b"\r\n\r\n",)),
        Attack("connection alone", (b"",)),
    ]


def large_attacks(most: int) -> list[Attack]:
    """Bodies of more bytes than the most: announced, and in chunks."""
    part = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    chunked = request(headers=AS_JSON | {"transfer-encoding": "chunked"})
    return [
        Attack("oversize, announced", (request(body=b" " * (most + 1), headers=AS_JSON),)),
        Attack("oversize, announced alone", (request(headers=AS_JSON | {"content-length": "9" * 12}),)),
        Attack("oversize, in chunks", (chunked, *[part] * (most // 0x100000 + 2))),
    ]


RAW: tuple[Callable[[Rng], Attack], ...] = (_length, _chunks, _headers, _method, _path, _garbage)
