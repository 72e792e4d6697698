"""The service as the page meets it, played: the real page and security policy, made-up answers.

What the page sends is read by gemel.wire, which refuses what the service would refuse; what it reads was written by it.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from played_answers import CATALOG, found_in, played_link
from pydantic import BaseModel, ValidationError

from gemel.wire import (
    EntitiesReply,
    ErrorReply,
    FeedbackReply,
    FeedbackRequest,
    LinkReply,
    LinkRequest,
    WantedMention,
)

PAGE = Path(__file__).parents[2] / "bento" / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass
class PlayedService:
    """What was asked of it, and how it is to behave.

    refusals: status, headers and words (None: no JSON) of the next answers to POST /link; taken from the front.
    token: asked of callers; "": none. acts, known: of its replies to feedback. hold: answers of /link wait for it.
    """

    address: str = ""
    linked: list[LinkRequest] = field(default_factory=list)
    corrected: list[FeedbackRequest] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, str], str | None]] = field(default_factory=list)
    token: str = ""
    feedback: str = "keep"
    notice: str = "The tiny models know nothing but the sample world."
    limits: dict[str, int] = field(
        default_factory=lambda: {
            "text": 4000,
            "mention": 200,
            "image_bytes": 10_000_000,
            "pixels": 25_000_000,
            "top_k": 5,
            "mentions": 32,
        }
    )
    known: bool = False
    hold: Event = field(default_factory=Event)

    def info(self) -> dict[str, Any]:
        """What GET /info tells."""
        told = {"release": "7b02e0f1", "dataset": "sample", "accuracy": {"test": 0.92}, "entities": 5200}
        secret = {"token_needed": bool(self.token), "limits": self.limits}
        return told | secret | {"notice": self.notice, "feedback": self.feedback}

    def link(self, body: bytes) -> LinkReply:
        """The played links."""
        asked = LinkRequest.model_validate_json(body)
        self.linked.append(asked)
        self.hold.wait(20)
        wanted = found_in(asked.text) if asked.mentions is None else asked.mentions
        links = tuple(played_link(asked, one) for one in wanted if isinstance(one, WantedMention))
        return LinkReply(links=links, release="7b02e0f1", request_id="r1")

    def correct(self, body: bytes) -> FeedbackReply:
        """The played acceptance of a correction."""
        self.corrected.append(FeedbackRequest.model_validate_json(body))
        return FeedbackReply(id="c0ffee", known=self.known, acts=self.feedback == "act")

    def entities(self, prefix: str) -> EntitiesReply:
        """Entities of the catalog whose names begin so."""
        self.prefixes.append(prefix)
        return EntitiesReply(entities=tuple(each for each in CATALOG if each.name.lower().startswith(prefix.lower())))


class Handler(BaseHTTPRequestHandler):
    """HTTP for a PlayedService. Answers like the service to what it refuses."""

    service: PlayedService

    def do_GET(self) -> None:
        """The page, its files, /info and /entities."""
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        name = "index.html" if path == "/" else path.removeprefix("/page/")
        if (PAGE / name).is_file():
            return self._send(200, (PAGE / name).read_bytes(), mimetypes.guess_type(name)[0] or "")
        if path == "/info":
            return self._answer(self.service.info)
        if path == "/entities":
            return self._answer(lambda: self.service.entities(query["prefix"][0]))
        found = [each for each in CATALOG if unquote(path) == f"/entities/{each.entity_id}"]
        return self._answer(lambda: found[0]) if found else self._refuse(404, f"{path}: no such page")

    def do_POST(self) -> None:
        """/link and /feedback."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/link" and self.service.refusals:
            status, headers, words = self.service.refusals.pop(0)
            return self._refuse(status, words, headers)
        answers = {"/link": self.service.link, "/feedback": self.service.correct}
        return self._answer(lambda: answers[self.path](body))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, answer: Callable[[], BaseModel | dict[str, Any]]) -> None:
        if self.service.token and self.headers["Authorization"] != f"Bearer {self.service.token}":
            return self._refuse(401, "a token is needed; send it as `Authorization: Bearer …`")
        try:
            told = answer()
        except ValidationError as error:
            return self._refuse(400, str(error))
        return self._send(200, dump(told).encode(), "application/json")

    def _refuse(self, status: int, words: str | None, headers: dict[str, str] | None = None) -> None:
        body = "<h1>Bad gateway</h1>" if words is None else dump(ErrorReply(error=words, request_id="r9"))
        self._send(status, body.encode(), "application/json" if words else "text/html", headers)

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        told = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}
        try:
            self.send_response(status)
            for name, value in (told | {"X-Content-Type-Options": "nosniff"} | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            # The page may give a request up.
            self.close_connection = True


def dump(told: BaseModel | dict[str, Any]) -> str:
    """As JSON."""
    return told.model_dump_json() if isinstance(told, BaseModel) else json.dumps(told)


@contextmanager
def played_service() -> Iterator[PlayedService]:
    """A service on a free port of this machine, until the block ends."""
    service = PlayedService()
    service.hold.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Playing", (Handler,), {"service": service}))
    server.daemon_threads = True
    service.address = f"http://127.0.0.1:{server.server_port}/"
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield service
    finally:
        service.hold.set()
        server.shutdown()
        server.server_close()
