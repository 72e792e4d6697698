"""Requests as bytes, for what no client would send: written to a socket as they stand, and the answer read back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

LIMIT_S = 30.0
MOST_ANSWER = 64 * 1024 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
Headers = Mapping[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Attack:
    """Bytes to send. kind: what it tries. parts: sent one after another. pause: seconds between them."""

    kind: str
    parts: tuple[bytes, ...]
    pause: float = 0.0


@dataclass(frozen=True)
class Fate:
    """What became of an attack. status: of its answer; 0 if there was none. sentence: what it says under `error`."""

    kind: str
    status: int
    sentence: str | None
    seconds: float


def request(path: str = "/link", body: bytes = b"", headers: Headers | None = None, method: str = "POST") -> bytes:
    """A request; its length is said, unless the headers do, or how it is cut instead. Connections end with it."""
    given = list(headers.items() if isinstance(headers, Mapping) else headers or [])
    named = {name.lower() for name, _ in given}
    lines = [("host", "localhost"), ("connection", "close"), *given]
    if not named & {"content-length", "transfer-encoding"}:
        lines.append(("content-length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body


async def send(port: int, attack: Attack, limit_s: float = LIMIT_S) -> Fate:
    """Carry out an attack on loopback."""
    begun = asyncio.get_running_loop().time()
    answer = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=MOST_ANSWER)
            try:
                writing = asyncio.create_task(_write(writer, attack))
                answer = await _answer(reader)
                writing.cancel()
            finally:
                writer.close()
    return _fate(attack.kind, answer, asyncio.get_running_loop().time() - begun)


async def _write(writer: asyncio.StreamWriter, attack: Attack) -> None:
    # The service may close its end before all was sent.
    with contextlib.suppress(OSError):
        for part in attack.parts:
            writer.write(part)
            await writer.drain()
            if attack.pause:
                await asyncio.sleep(attack.pause)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The head and the body of the first answer, or what there is of them."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 1"):  # "100 Continue" comes before the answer
            head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        return head + (await reader.readexactly(int(length[1])) if length else await reader.read())
    except asyncio.IncompleteReadError as error:
        return error.partial


def _fate(kind: str, answer: bytes, seconds: float) -> Fate:
    found = _STATUS.match(answer)
    if found is None:
        return Fate(kind, 0, None, seconds)
    sentence = None
    with contextlib.suppress(ValueError, TypeError, KeyError):
        sentence = str(json.loads(answer.partition(b"\r\n\r\n")[2])["error"])
    return Fate(kind, int(found[1]), sentence, seconds)
