"""The guard before the routes: bodies that come slowly or never, callers who go, connections of another kind."""

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import pytest
from starlette.responses import JSONResponse

from bento import guard
from bento.app import app
from bento.batcher import Batcher
from bento.guard import Guard
from bento.refusals import RefusedError
from bento.settings import ServiceSettings
from gemel.wire import LinkReply

SCOPE: dict[str, Any] = {
    **{"type": "http", "method": "POST", "path": "/link", "raw_path": b"/link", "root_path": "", "query_string": b""},
    **{"http_version": "1.1", "scheme": "http", "server": ("a", 80), "client": ("b", 1)},
    "headers": [(b"content-type", b"application/json")],
}
BODY = {"type": "http.request", "body": b'{"text": "A Jaguar", "mentions": ["Jaguar"]}', "more_body": False}
GONE = {"type": "http.disconnect"}


class Caller:
    """Sends messages, then nothing more. Hears what is answered. left: messages that nobody has read."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.left, self.heard = list(messages), list[Any]()
        self.goes = asyncio.Event()

    async def receive(self) -> Any:
        if self.left:
            return self.left.pop(0)
        await self.goes.wait()
        return GONE

    async def send(self, message: Any) -> None:
        self.heard.append(message)

    @property
    def status(self) -> int:
        return int(self.heard[0]["status"])

    @property
    def sentence(self) -> str:
        return str(json.loads(self.heard[1]["body"])["error"])


async def silent(*_: Any) -> None:
    raise AssertionError("it must not come so far")


def guarded(inner: Any, caller: Caller, **scope: Any) -> None:
    asyncio.run(Guard(inner, lambda: None)(SCOPE | scope, caller.receive, caller.send))


def test_body_that_never_ends_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_SERVICE_UPLOAD_SECONDS", "0.05")
    monkeypatch.setattr(guard, "LINGER_SECONDS", 0.05)
    caller = Caller({"type": "http.request", "body": b"{", "more_body": True})
    guarded(silent, caller)
    assert (caller.status, caller.sentence[:44]) == (408, "the body did not arrive within 0.05 seconds;")
    assert (b"connection", b"close") in caller.heard[0]["headers"]


def test_caller_who_goes_before_the_end_of_the_body_reaches_no_route() -> None:
    caller = Caller({"type": "http.request", "body": b"{", "more_body": True}, GONE)
    caller.goes.set()
    guarded(silent, caller)
    assert "closed before the body was complete" in caller.sentence


def test_body_that_is_announced_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LINGER_SECONDS", 0.05)
    caller = Caller()
    guarded(silent, caller, headers=[(b"content-length", b"999999999999")])
    assert (caller.status, "more than the 20971520 bytes allowed" in caller.sentence) == (413, True)


def test_rest_of_a_refused_body_is_let_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_SERVICE_MAX_BODY", "10")
    part = {"type": "http.request", "body": b"x" * 8, "more_body": True}
    caller = Caller(*[part] * 9, part | {"more_body": False})
    guarded(silent, caller)
    assert (caller.status, caller.left) == (413, [])


def test_websocket_is_closed_and_reaches_nothing() -> None:
    caller = Caller({"type": "websocket.connect"})
    guarded(silent, caller, type="websocket")
    assert [message["type"] for message in caller.heard] == ["websocket.close"]


def test_refusal_without_a_sentence_gets_one() -> None:
    async def plain(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"Not Found"})

    caller = Caller(BODY)
    guarded(plain, caller)
    assert (caller.status, caller.sentence) == (404, "Not Found; GET /openapi.json lists what there is")
    assert len(caller.heard) == 2


class OneAtATime:
    """In the place of the desk: has numbers counted by a batcher, which remembers what it saw."""

    def __init__(self) -> None:
        self.settings, self.seen = ServiceSettings(), list[str]()
        self.batcher: Batcher[str, str] = Batcher(self._answer, most=1, most_inside=100)

    def _answer(self, questions: Sequence[str]) -> list[str | Exception]:
        self.seen += questions
        return list(questions)

    async def link(self, wanted: Any, _image: Any, request_id: str, _facts: Any) -> LinkReply:
        await self.batcher.ask(wanted.text)
        return LinkReply(links=(), release="", request_id=request_id)


def test_queued_question_of_a_caller_who_has_gone_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> tuple[Caller, OneAtATime]:
        desk, goes, stays = OneAtATime(), Caller(BODY), Caller(BODY | {"body": b'{"text": "stays"}'})
        monkeypatch.setattr(app.state, "desk", desk, raising=False)
        asked = [
            asyncio.create_task(Guard(app, lambda: None)(SCOPE.copy(), one.receive, one.send)) for one in (goes, stays)
        ]
        while len(desk.batcher._jobs) < 2:
            await asyncio.sleep(0)
        goes.goes.set()
        await asked[0]
        async with desk.batcher.running():
            await asked[1]
        return stays, desk

    stays, desk = asyncio.run(play())
    assert (stays.status, desk.seen) == (200, ["stays"])


def test_body_is_not_read_while_there_is_no_room() -> None:
    def full() -> None:
        raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "no room")

    for path, sentence in (("/link", "no room"), ("/link_batch", "no room"), ("/feedback", "reached")):
        caller = Caller(BODY)
        asyncio.run(Guard(_reached, full)(SCOPE | {"path": path}, caller.receive, caller.send))
        assert caller.sentence == sentence


def test_bodies_that_are_held_have_a_bound_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_SERVICE_MAX_HELD", "100")

    async def work() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            entered.set()
            await leave.wait()
            await _reached(scope, receive, send)

        guard_of_two = Guard(waiting, lambda: None)
        first, second, third = (Caller(BODY | {"body": b"x" * 60}) for _ in range(3))
        held = asyncio.create_task(guard_of_two(SCOPE.copy(), first.receive, first.send))
        await entered.wait()
        await guard_of_two(SCOPE.copy(), second.receive, second.send)
        leave.set()
        await held
        await guard_of_two(SCOPE.copy(), third.receive, third.send)
        assert [caller.status for caller in (first, second, third)] == [200, 429, 200]
        assert second.sentence.startswith("the bodies that are being answered have 60 bytes, and 100 may")

    asyncio.run(work())


async def _reached(scope: Any, receive: Any, send: Any) -> None:
    await JSONResponse({"error": "reached"})(scope, receive, send)
