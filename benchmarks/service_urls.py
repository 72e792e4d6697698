"""Addresses that try to reach the machine itself: a listener on loopback must never be connected to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from unittest import mock

import httpcore
import httpx

from benchmarks.service_load import client_of
from benchmarks.service_posts import JSON, form
from benchmarks.service_process import Served
from bento.images import PublicOnly

# What a service is told that it may fetch from; all of them lie at loopback.
HOSTS = ("localhost", "localhost.", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "::1", "0", "ip6-localhost")
PUBLIC, LOOPBACK = "93.184.215.14", "127.0.0.1"
# {port}: the listener's.
ADDRESSES = (
    *("https://localhost/", "https://localhost:443/", "https://localhost:{port}/", "http://localhost:{port}/"),
    *("//localhost/", "https://LOCALHOST/", "https://localhost./", "https://localhost%2e/", "https://lo\tcalhost/"),
    *(
        "https://localhost\\@a/",
        "https://127.0.0.1/",
        "https://127.0.0.1:{port}/",
        "https://127.1/",
        "https://127.0.1/",
    ),
    *(
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
    ),
    *("https://0/", "https://0.0.0.0/", "https://127.000.000.001/", "https://127.0.0.1./", "https://127。0。0。1/"),
    *("https://①②⑦.⓪.⓪.①/", "https://[::1]/", "https://[::1]:{port}/", "https://[::ffff:127.0.0.1]/", "https://[::]/"),
    *("https://[::ffff:7f00:1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/"),
    *(
        "https://[2002:7f00:1::]/",
        "https://[::1%25lo]/",
        "https://[fe80::1%25lo]/",
        "https://[::1",
        "https://a@localhost/",
    ),
    *("https://localhost@a/", "https://example.org@localhost:{port}/", "https://localhost#@example.org/"),
    *(
        "https://localhost?@example.org/",
        "file:///etc/passwd",
        "gopher://localhost:{port}/_x",
        "ftp://localhost:{port}/a",
    ),
    *(
        "dict://localhost:{port}/d",
        "data:image/png,x",
        "https://localhost:{port}\r\nHost: x/",
        "https://localhost:0443/",
    ),
    *("https://localhost/%0d%0aHost:%20x", "https:localhost/", "https:///localhost/", "HTTPS://localhost/", "https://"),
    *(" https://localhost/", "https://localhost:99999/", "https://ip6-localhost/", "https://ｌocalhost/", "https://."),
    *(
        "https://loc\u00adalhost/",
        "https://localhost/é",
        "https://localhost/a b",
        "jar:https://localhost!/",
        "unix:///x",
    ),
    "https://" + "a" * 5_000,
)


class Listener:
    """Counts who connects to loopback: on a port of its own, and on those of the web where it may. port: its own."""

    def __init__(self) -> None:
        self.hits, self.ports = 0, list[int]()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Count while it is open."""
        async with contextlib.AsyncExitStack() as stack:
            for port in (0, 443, 80):
                with contextlib.suppress(OSError):
                    server = await asyncio.start_server(self._count, LOOPBACK, port)
                    await stack.enter_async_context(server)
                    self.ports.append(server.sockets[0].getsockname()[1])
            yield self

    async def _count(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        writer.close()


async def urls(served: Served, allowing: Served) -> dict[str, object]:
    """The figures. allowing: a service that may fetch from HOSTS.

    listener_hits: connections to loopback. not_refused: addresses that were answered with anything but a refusal and
    its sentence. listened_on: ports; without 443 among them, a fetch by https would go unseen.
    """
    tried, odd = 0, list[str]()
    async with Listener().listening() as listener:
        for service in (served, allowing):
            async with client_of(service) as client:
                for address in ADDRESSES:
                    url = address.replace("{port}", str(listener.ports[0]))
                    for reply in (
                        await _as_json(client, url),
                        await _as_form(client, url),
                        await _as_image(client, url),
                    ):
                        tried += 1
                        if reply.status_code != 400 or not reply.json().get("error"):
                            odd.append(f"{url[:80]!r}: {reply.status_code} {reply.text[:200]}")
        rebound = await rebinding(listener.ports[0])
        await asyncio.sleep(0.2)
        hits = listener.hits
    figures = {"urls_tried": tried, "listener_hits": hits, "rebinding_connects_to": ", ".join(rebound)}
    listened = ", ".join(map(str, listener.ports))
    return figures | {"not_refused": len(odd), "not_refused_urls": odd, "listened_on": listened}


async def rebinding(port: int) -> list[str]:
    """Where the fetcher goes if a name is public when it is looked up first, and at loopback from then on."""
    answers, went = [PUBLIC], list[str]()

    async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        address = answers.pop() if answers else LOOPBACK
        return [(None, None, None, "", (address, port))]

    async def connect(_: object, host: str, *__: object) -> None:
        went.append(host)
        raise httpcore.ConnectError("far enough")

    loop = asyncio.get_running_loop()
    with (
        mock.patch.object(loop, "getaddrinfo", resolve),
        mock.patch.object(httpcore.AnyIOBackend, "connect_tcp", connect),
    ):
        for _ in range(2):
            with contextlib.suppress(httpcore.ConnectError):
                await PublicOnly().connect_tcp("rebound.example", port)
    return went


async def _as_json(client: httpx.AsyncClient, url: str) -> httpx.Response:
    body = json.dumps({"text": "The Jaguar", "mentions": ["Jaguar"], "image_url": url})
    return await client.post("/link", content=body, headers={"content-type": JSON})


async def _as_form(client: httpx.AsyncClient, url: str) -> httpx.Response:
    body, kind = form({"text": "The Jaguar", "mention": "Jaguar", "image_url": url})
    return await client.post("/link", content=body, headers={"content-type": kind})


async def _as_image(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """The address where the image's file should be."""
    body, kind = form({"text": "The Jaguar", "mention": "Jaguar", "image": url})
    return await client.post("/link", content=body, headers={"content-type": kind})
