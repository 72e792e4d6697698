"""Images are fetched from hosts that the operator names alone, at public addresses alone, and only so much."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httpcore
import pytest

from bento import images
from bento.images import PublicOnly, fetched, is_public
from bento.refusals import RefusedError
from bento.settings import ServiceSettings

HOST = "pictures.example"
ALLOWING = ServiceSettings(image_hosts=(HOST, "localhost", "127.0.0.1", "::1", "2130706433"), max_image=1_000)
PUBLIC, LOOPBACK = "93.184.215.14", "127.0.0.1"
Lookup = Callable[..., Any]


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *(LOOPBACK, "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254"),
        *(
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "::",
            "::1",
            "fe80::1%eth0",
            "fd00::1",
        ),
        *("ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
        *("2001:0:7f00:1::", "2001:db8::1"),
    ],
)
def test_address_of_a_private_network_or_a_tunnel_to_one_is_not(address: str) -> None:
    assert not is_public(address)


@pytest.fixture
def look_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has names resolve to the given addresses, one list after another."""

    def resolve_to(*answers: list[str]) -> None:
        left = list(answers)

        async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in left.pop(0)]

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)

    return resolve_to


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where connections would go."""
    found: list[str] = []

    async def connect(_: Any, host: str, *__: Any, **___: Any) -> None:
        found.append(host)
        raise httpcore.ConnectError("far enough")

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    return found


def connect() -> None:
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(PublicOnly().connect_tcp(HOST, 443))


def test_address_that_was_looked_at_is_the_one_that_is_connected_to(look_up: Lookup, connected: list[str]) -> None:
    look_up([PUBLIC], [LOOPBACK])
    connect()
    assert connected == [PUBLIC]
    connect()
    assert connected == [PUBLIC]


def test_host_with_one_private_address_among_public_ones_is_not_connected_to(
    look_up: Lookup, connected: list[str]
) -> None:
    look_up([PUBLIC, LOOPBACK])
    connect()
    assert connected == []


def test_sockets_of_the_machine_are_not_connected_to() -> None:
    with pytest.raises(httpcore.ConnectError, match=r"/run/x\.sock: sockets are not fetched from"):
        asyncio.run(PublicOnly().connect_unix_socket("/run/x.sock"))


def refused(url: str, settings: ServiceSettings = ALLOWING) -> str:
    with pytest.raises(RefusedError) as refusal:
        asyncio.run(fetched(url, settings))
    assert refusal.value.status == 400
    return str(refusal.value)


def test_without_named_hosts_no_address_is_fetched() -> None:
    assert "addresses are not fetched here" in refused(f"https://{HOST}/a.png", ServiceSettings())


@pytest.mark.parametrize(
    "url",
    [
        *(f"http://{HOST}/", f"https://{HOST}:8443/", f"https://{HOST}./", f"https://a@{HOST}/", f"https://{HOST}@b/"),
        *(f"https://b#{HOST}", f"https://b?{HOST}", f"https://b\\@{HOST}/", f"//{HOST}/", f"ftp://{HOST}/", "https://"),
        *("file:///etc/passwd", "gopher://localhost/_x", "data:image/png,x", "https://[::1", "https://localhost%2e/"),
        *(
            "https://0x7f000001/",
            "https://127.1/",
            "https://[::ffff:127.0.0.1]/",
            f"https://{HOST}:x/",
            f"https://{HOST}/é",
        ),
    ],
)
def test_address_that_is_none_of_a_named_host_is_refused_and_not_looked_up(
    url: str, look_up: Lookup, connected: list[str]
) -> None:
    look_up()
    assert "image_url: " in refused(url)
    assert connected == []


@pytest.mark.parametrize(
    "url", ["https://localhost/", "https://127.0.0.1/", "https://2130706433/", "https://LOCALHOST/"]
)
def test_named_host_at_loopback_is_refused_and_nobody_connects(url: str, connected: list[str]) -> None:
    assert "which is not public" in refused(url)
    assert connected == []


def test_listener_on_loopback_hears_nothing() -> None:
    hits = list[object]()

    async def play() -> None:
        server = await asyncio.start_server(lambda _, writer: hits.append(writer), LOOPBACK, 0)
        async with server:
            with pytest.raises(httpcore.ConnectError, match="localhost is at 127"):
                await PublicOnly().connect_tcp("localhost", server.sockets[0].getsockname()[1])
            await asyncio.sleep(0.05)

    asyncio.run(play())
    assert hits == []


def answering(monkeypatch: pytest.MonkeyPatch, *parts: bytes) -> None:
    monkeypatch.setattr(images, "PublicOnly", lambda: httpcore.AsyncMockBackend(list(parts)))


def test_image_of_a_named_host_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", b"image")
    assert asyncio.run(fetched(f"https://{HOST}/a.png", ALLOWING)) == b"image"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 302 Found\r\nlocation: http://localhost/\r\ncontent-length: 0\r\n\r\n", "answers 302"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answers 404"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n" + b"x" * 1_001, "more than the 1000 bytes allowed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "can't be fetched"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", "can't be fetched"),
    ],
)
def test_answer_that_is_no_image_of_its_size_is_refused(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, words: str
) -> None:
    answering(monkeypatch, answer)
    assert words in refused(f"https://{HOST}/a.png")


def test_host_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(httpcore.AsyncMockBackend):
        async def connect_tcp(self, *_: Any, **__: Any) -> Any:
            await asyncio.sleep(60)

    monkeypatch.setattr(images, "FETCH_SECONDS", 0.05)
    monkeypatch.setattr(images, "PublicOnly", lambda: Slow([]))
    assert "can't be fetched (too slow)" in refused(f"https://{HOST}/a.png")
