"""Pictures of requests: decoded within the operator's limits, and fetched only from hosts that the operator names."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpcore

from bento.refusals import bad_request
from bento.settings import ServiceSettings
from gemel.core.errors import ImageError
from gemel.core.images import decode_image, opened_image

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

FETCH_SECONDS = 10.0
# Pictures that are decoded at a time, each some 20 bytes a pixel.
_decoders = anyio.CapacityLimiter(os.cpu_count() or 1)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def picture_of(data: bytes, settings: ServiceSettings) -> Image:
    """Decode an image.

    Raises: RefusedError if it is none, or larger than allowed.
    """
    if len(data) > settings.max_image:
        raise bad_request(f"image: {len(data)} bytes, more than the {int(settings.max_image)} allowed; scale it down")
    try:
        # Its size stands at its beginning: nothing is decoded that is too large.
        with opened_image(data, "image") as image:
            pixels = image.width * image.height
        if pixels > settings.max_pixels:
            raise bad_request(f"image: {pixels} pixels, more than the {settings.max_pixels} allowed; scale it down")
        return decode_image(data, "image")
    except ImageError as error:
        raise bad_request(str(error)) from None


async def preprocessed(data: bytes, settings: ServiceSettings, preprocess: Callable[[Image], Tensor]) -> Tensor:
    """The picture of an image file as the vision encoder reads it, (3, height, width), without holding up others.

    Only that is kept: decoded, a picture takes a hundred times as much memory. Raises: RefusedError as picture_of.
    """
    return await anyio.to_thread.run_sync(lambda: preprocess(picture_of(data, settings)), limiter=_decoders)


async def check_picture(data: bytes, settings: ServiceSettings) -> None:
    """Raises: RefusedError as picture_of."""
    await anyio.to_thread.run_sync(picture_of, data, settings, limiter=_decoders)


async def fetched(url: str, settings: ServiceSettings) -> bytes:
    """The bytes at an address.

    Raises: RefusedError if it isn't https to a host that the operator names, resolves to an address that isn't public,
    redirects, is too large or too slow, or doesn't answer.
    """
    _check_url(url, settings.image_hosts)
    try:
        async with asyncio.timeout(FETCH_SECONDS), httpcore.AsyncConnectionPool(network_backend=PublicOnly()) as pool:
            return await _body(pool, url, int(settings.max_image))
    except (TimeoutError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise bad_request(
            f"image_url: {url[:200]} can't be fetched ({str(error) or 'too slow'}); send the image itself"
        ) from None


async def _body(pool: httpcore.AsyncConnectionPool, url: str, most: int) -> bytes:
    # Redirects are not followed: they lead where nobody looked.
    async with pool.stream("GET", url, headers={"accept": "image/*", "accept-encoding": "identity"}) as answer:
        if answer.status != HTTPStatus.OK:
            raise bad_request(f"image_url: {url[:200]} answers {answer.status}; give an address of the image itself")
        data = bytearray()
        async for part in answer.aiter_stream():
            data += part
            if len(data) > most:
                raise bad_request(f"image_url: {url[:200]} has more than the {most} bytes allowed; scale it down")
        return bytes(data)


def _check_url(url: str, hosts: Sequence[str]) -> None:
    if not hosts:
        raise bad_request("image_url: addresses are not fetched here; send the image itself, as a file or base64")
    try:
        parts = urlsplit(url)
        scheme, host, port, user = parts.scheme, parts.hostname, parts.port, parts.username
        url.encode("ascii")
    except ValueError as error:
        raise bad_request(f"image_url: {url[:200]!r} is no address ({error})") from None
    if scheme != "https" or port not in (None, 443) or user is not None or (host or "") not in hosts:
        raise bad_request(
            f"image_url: {url[:200]!r} is not fetched; addresses must be https and of one of {', '.join(hosts)}"
        )


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects to public addresses alone. The address that was looked at is the one that is connected to."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises: httpcore.ConnectError if the host has an address that isn't public."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: no such host ({error})") from None
        addresses = [str(entry[4][0]) for entry in found]
        private = [address for address in addresses if not is_public(address)]
        if private or not addresses:
            raise httpcore.ConnectError(f"{host} is at {', '.join(private) or 'no address'}, which is not public")
        return await self._backend.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002 (overrides)
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 (overrides)
    ) -> httpcore.AsyncNetworkStream:
        """Never connects."""
        raise httpcore.ConnectError(f"{path}: sockets are not fetched from")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._backend.sleep(seconds)


def is_public(address: str) -> bool:
    """Whether an IP address, and each that it leads to by a tunnel, is one of the open internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner: list[ipaddress.IPv4Address | None] = []
    if isinstance(found, ipaddress.IPv6Address):
        inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if found in _NAT64:
            inner.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
    return all(one.is_global and not one.is_multicast for one in (found, *inner) if one is not None)
