"""Messages go out through Prefect's notification blocks; one that fails keeps nobody else from hearing."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret

from flows.notices import notify


@pytest.fixture
def heard() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of a server, and what it was told."""
    told: list[dict[str, str]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", told
    server.shutdown()


@flow
def telling(*blocks: str) -> tuple[str, ...]:
    return notify(blocks, "promoted", "v1.2.0 is the champion")


def webhook(name: str, url: str) -> str:
    block = CustomWebhookNotificationBlock(name=name, url=url, json_data={"subject": "{{subject}}", "body": "{{body}}"})
    block.save(name, overwrite=True)
    return f"custom-webhook/{name}"


def test_message_reaches_the_block(heard: tuple[str, list[dict[str, str]]]) -> None:
    url, told = heard
    slug = webhook("team", url)
    assert telling(slug) == (slug,)
    assert told == [{"subject": "promoted", "body": "v1.2.0 is the champion"}]


def test_block_that_fails_does_not_keep_others_from_hearing(heard: tuple[str, list[dict[str, str]]]) -> None:
    url, told = heard
    Secret(value="no block to notify").save("password", overwrite=True)
    slug = webhook("others", url)
    assert telling("slack-webhook/absent", "secret/password", slug) == (slug,)
    assert len(told) == 1
