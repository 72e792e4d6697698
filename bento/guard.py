"""What stands before every route: a request's id, its token, its size, its time to arrive, its line in the log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.batcher import RETRY_SECONDS
from bento.logs import LOGGER
from bento.refusals import RefusedError, error_response, unexpected
from bento.settings import read_settings

log = logging.getLogger(LOGGER)

ID_HEADER = "x-request-id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What probes and the page's own files need no token for.
OPEN = ("/livez", "/healthz", "/readyz", "/")
OPEN_FOLDER = "/page/"
LINKING = ("/link", "/link_batch")
LINGER_SECONDS = 2.0
# As web servers log callers who have gone.
NOTHING_SENT = 499
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Refuses requests without the token, for which there is no room, or whose body is too large or too slow.

    It does so before anything reads them.
    """

    def __init__(self, app: ASGIApp, check_room: Callable[[], None]) -> None:
        """check_room: raises RefusedError while nothing more can be linked.

        Raises: ConfigError if the service's settings can't be used.
        """
        self._app, self._settings, self._check_room, self._held = app, read_settings(), check_room, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; connections of another kind are refused."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # An error in its place would keep the caller, and one of the places for requests, until a time limit.
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "only HTTP is served"})
            return
        request_id, began = _request_id(Headers(scope=scope)), time.perf_counter()
        facts: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, facts=facts)
        answer = _Answer(send, request_id)
        try:
            self._check_token(scope)
            if scope["method"] == "POST" and scope["path"] in LINKING:
                self._check_room()
            async with self._body(scope, receive) as body:
                facts["bytes"] = len(body)
                await self._app(scope, _replayed(body, receive), answer.send)
        except RefusedError as refusal:
            await _discarded(receive)
            await refusal.response(request_id)(scope, receive, answer.send)
        except Exception:
            log.exception("failed", extra={"facts": {"request_id": request_id}})
            if answer.status == NOTHING_SENT:
                await unexpected(request_id)(scope, receive, answer.send)
        finally:
            facts["ms"] = round(1000 * (time.perf_counter() - began), 1)
            line = {"request_id": request_id, "method": scope["method"], "path": scope["path"], "status": answer.status}
            log.info("request", extra={"facts": line | facts})

    def _check_token(self, scope: Scope) -> None:
        token, path = self._settings.token, scope["path"]
        if token is None or path in OPEN or path.startswith(OPEN_FOLDER):
            return
        kind, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        expected = token.get_secret_value().encode()
        if kind.lower() != "bearer" or not secrets.compare_digest(given.strip().encode("latin-1"), expected):
            why = "a wrong token" if given else "no token"
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                f"this service wants a token and got {why}; send the header `Authorization: Bearer TOKEN`",
                {"www-authenticate": "Bearer"},
            )

    @contextlib.asynccontextmanager
    async def _body(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """The whole body, which counts as held while this is open."""
        announced = Headers(scope=scope).get("content-length", "0")
        self._check_size(int(announced) if announced.isascii() and announced.isdigit() else 0)
        body, seconds = bytearray(), self._settings.upload_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._receive(body, receive)
            yield bytes(body)
        except TimeoutError:
            raise RefusedError(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body did not arrive within {seconds:g} seconds; send a smaller image, or from a faster network",
                {"connection": "close"},
            ) from None
        finally:
            self._held -= len(body)

    async def _receive(self, body: bytearray, receive: Receive) -> None:
        """Fill in a body as it comes."""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RefusedError(HTTPStatus.BAD_REQUEST, "the connection was closed before the body was complete")
            part = message.get("body", b"")
            self._check_held(len(part))
            self._held += len(part)
            body += part
            self._check_size(len(body))
            if not message.get("more_body", False):
                return

    def _check_held(self, size: int) -> None:
        most = int(self._settings.max_held)
        if self._held + size > most:
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"the bodies that are being answered have {self._held} bytes, and {most} may; try again later",
                {"retry-after": str(RETRY_SECONDS), "connection": "close"},
            )

    def _check_size(self, size: int) -> None:
        if size > self._settings.max_body:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has more than the {int(self._settings.max_body)} bytes allowed; scale the image down, or "
                "send fewer posts",
                {"connection": "close"},
            )


class _Answer:
    """Sends an answer with the headers that all have; a refusal without a sentence gets one. status: what it had."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._id, self.status = send, request_id, NOTHING_SENT
        self._replaced = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = Headers(raw=list(message["headers"])).get("content-type", "")
            self._replaced = message["status"] >= HTTPStatus.BAD_REQUEST and not kind.startswith("application/json")
            if self._replaced:
                # Of BentoML's own routes, which know of no sentence.
                words = f"{HTTPStatus(message['status']).phrase}; GET /openapi.json lists what there is"
                refusal = error_response(message["status"], words, self._id)
                await self._headed(
                    {"type": message["type"], "status": message["status"], "headers": refusal.raw_headers}
                )
                await self._send({"type": "http.response.body", "body": refusal.body})
        if not self._replaced:
            await self._headed(message)

    async def _headed(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[ID_HEADER] = self._id
            for name, value in _HEADERS.items():
                headers[name] = value
        await self._send(message)


def _request_id(headers: Headers) -> str:
    """The caller's, if it gave one that is harmless in a log, else a new one."""
    given = headers.get(ID_HEADER, "")
    return given if _ID.fullmatch(given) else uuid.uuid4().hex


async def _discarded(receive: Receive) -> None:
    """Let the rest of a body arrive, for a moment. Closed with some of it unread, a connection is reset, and its caller
    never hears why.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Hands out a body that was read already, then what else comes: that the caller has gone."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
