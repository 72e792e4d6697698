"""What is no request is refused with a sentence, what is too much at once; no answer suffers for another's request."""

import base64
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from running import bentoml_home, running_service
from starlette.testclient import TestClient
from tiny_world import WHO
from transformers import LlamaForCausalLM

from bento.app import app
from bento.release_store import RELEASE_VARIABLE
from gemel.core.schema import Mention, Post
from gemel.predictor import Linker

TOKEN = "a-token-of-sixteen-or-more"
LIMITS = {
    **{"max_text": 60, "max_mention": 20, "max_mentions": 3, "max_posts": 3, "max_batch_mentions": 5},
    **{"max_candidates": 2, "max_top_k": 2, "max_image": 2_000, "max_pixels": 400, "max_body": 8_000},
}
TEXT = "A Jaguar in the morning"
POST: dict[str, Any] = {"text": TEXT, "mentions": ["Jaguar"]}
FORM = {"text": TEXT, "mention": "Jaguar"}
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path) -> Iterator[TestClient]:
    """A service with narrow limits that wants a token, and a caller who has it."""
    home = tmp_path_factory.mktemp("hardness")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RELEASE_VARIABLE, str(tiny_release))
        patch.setenv("GEMEL_SERVICE_FEEDBACK_FOLDER", str(home / "feedback"))
        patch.setenv("GEMEL_SERVICE_TOKEN", TOKEN)
        for name, value in LIMITS.items():
            patch.setenv(f"GEMEL_SERVICE_{name.upper()}", str(value))
        with bentoml_home(home / "bentoml"), running_service() as client:
            client.headers["authorization"] = f"Bearer {TOKEN}"
            yield client


def refusal(reply: Any, status: int = 400) -> str:
    """The sentence of a refusal."""
    assert reply.status_code == status, reply.text
    said: str = reply.json()["error"]
    return said


def picture(width: int = 4, height: int = 4) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def picture_of_bytes(size: int) -> bytes:
    """A picture with room for a comment before its end."""
    whole = picture()
    padding = size - len(whole) - 12
    return whole[:-12] + padding.to_bytes(4, "big") + b"prIv" + bytes(padding + 4) + whole[-12:]


def in_base64(image: bytes) -> str:
    return base64.b64encode(image).decode()


def padded(body: bytes, size: int) -> bytes:
    return body.ljust(size)


EDGES: dict[str, tuple[Any, Any, str]] = {
    "text": ({"text": TEXT.ljust(60, "x")}, {"text": TEXT.ljust(61, "x")}, "text: 61, more than the 60 allowed"),
    "mention": ({"mentions": ["J" * 20]}, {"mentions": ["J" * 21]}, "mention: 21, more than the 20 allowed"),
    "mentions": ({"mentions": ["Jaguar"] * 3}, {"mentions": ["Jaguar"] * 4}, "mentions: 4, more than the 3 allowed"),
    "candidates": (
        {"mentions": [{"mention": "Jaguar", "candidates": ["Q308", "Q925"]}]},
        {"mentions": [{"mention": "Jaguar", "candidates": ["Q308", "Q925", "Q3783"]}]},
        "candidates: 3, more than the 2 allowed",
    ),
    "top_k": ({"top_k": 2}, {"top_k": 3}, "top_k: 3, more than the 2 allowed"),
    "image bytes": (
        {"image": in_base64(picture_of_bytes(2_000))},
        {"image": in_base64(picture_of_bytes(2_001))},
        "image: 2001 bytes, more than the 2000 allowed",
    ),
    "pixels": (
        {"image": in_base64(picture(20, 20))},
        {"image": in_base64(picture(20, 21))},
        "image: 420 pixels, more than the 400 allowed",
    ),
}


@pytest.mark.parametrize("edge", EDGES)
def test_limit_of_a_post_is_where_it_is_said_to_be(client: TestClient, edge: str) -> None:
    within, beyond, words = EDGES[edge]
    reply = client.post("/link", json=POST | within)
    assert reply.status_code == 200, reply.text
    assert words in refusal(client.post("/link", json=POST | beyond))


@pytest.mark.parametrize(("counts", "words"), [([1] * 4, "posts: 4, more than the 3"), ([2] * 3, "mentions: 6, more")])
def test_limit_of_a_batch_is_where_it_is_said_to_be(client: TestClient, counts: list[int], words: str) -> None:
    posts = [POST | {"mentions": ["Jaguar"] * count} for count in counts]
    assert words in refusal(client.post("/link_batch", json={"posts": posts}))
    less = posts[1:] if len(posts) > 3 else [POST, *posts[1:]]
    reply = client.post("/link_batch", json={"posts": less})
    assert [item["error"] for item in reply.json()["results"]] == [None] * 3


@pytest.mark.parametrize("announced", [True, False])
def test_limit_of_a_body_is_where_it_is_said_to_be(client: TestClient, announced: bool) -> None:
    def send(size: int) -> Any:
        body = padded(json.dumps(POST).encode(), size)
        return client.post("/link", content=body if announced else iter([body[:100], body[100:]]), headers=JSON)

    assert send(8_000).status_code == 200
    assert "the body has more than the 8000 bytes allowed" in refusal(send(8_001), 413)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN]
)
def test_without_the_token_nothing_is_answered(client: TestClient, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    nobody = TestClient(client.app)
    for path in ("/info", "/metrics", "/openapi.json", "/entities/Q308"):
        reply = nobody.get(path, headers=headers)
        assert "this service wants a token and got" in refusal(reply, 401)
        assert reply.headers["www-authenticate"] == "Bearer"
    assert nobody.get("/livez").status_code == 200


def test_token_is_taken_with_any_case_of_its_scheme(client: TestClient) -> None:
    assert client.get("/info", headers={"authorization": f"bEARER  {TOKEN} "}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b'{"text": 7}',
        b'{"text": null, "mentions": null}',
        b'{"text": "\\ud800"}',
        b'{"text": "\xed\xa0\x80"}',
        b'{"text": "a", "mentions": "Jaguar"}',
        b'{"text": "a", "mentions": [[["a"]]]}',
        b'{"text": "a", "mentions": [{"mention": "a", "start": -1}]}',
        b'{"text": "a", "mentions": [{"mention": "a", "start": 5, "end": 2}]}',
        b'{"text": "a", "mentions": [{"mention": "a", "start": 1e400}]}',
        b'{"text": "a", "mentions": []}',
        b'{"text": "a", "mentions": ["\\u0000"]}',
        b'{"text": "a\\u0000b", "mentions": ["a"]}',
        b'{"text": "a", "top_k": NaN}',
        b'{"text": "a", "top_k": true}',
        b'{"text": "a", "top_k": 0}',
        b'{"text": "a", "top_k": 99999999999999999999999}',
        b'{"text": "a", "explain": "yes"}',
        b'{"text": "a", "image": "no base64"}',
        b'{"text": "a", "mentions": ["a"], "image": "QUJD"}',
        b'{"text": "a", "unknown": 1}',
        b'{"text": "a"} and more',
        b"[" * 4_000,
        '{"text": "a"}'.encode("utf-16"),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_message_that_is_none_is_refused(client: TestClient, body: bytes) -> None:
    assert refusal(client.post("/link", content=body, headers=JSON))


@pytest.mark.parametrize("charset", ["undefined", "idna", "utf-7", "nobody-knows"])
def test_charset_of_a_form_breaks_nothing(client: TestClient, charset: str) -> None:
    body = b'--x\r\ncontent-disposition: form-data; name="text"\r\n\r\n \r\n--x--\r\n'
    headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    assert refusal(client.post("/link", content=body, headers=headers))


@pytest.mark.parametrize("name", ["text", "image_url", "top_k"])
def test_field_that_a_form_has_twice_is_refused(client: TestClient, name: str) -> None:
    data = {**FORM, name: ["1", "2"]}
    assert f"{name}: given 2 times; give it once" in refusal(client.post("/link", data=data))


def test_second_image_of_a_form_is_refused(client: TestClient) -> None:
    files = [("image", ("a", picture(), "image/png"))] * 2
    assert "Too many files" in refusal(client.post("/link", data=FORM, files=files))


def test_text_that_comes_as_a_file_is_refused(client: TestClient) -> None:
    assert "text: expected a string, got a file" in refusal(client.post("/link", files={"text": ("a", b"b")}))


@pytest.mark.parametrize("cut", [1, 10, 60, 100])
def test_form_that_ends_too_early_is_refused(client: TestClient, cut: int) -> None:
    request = client.build_request("POST", "/link", data=FORM, files={"image": ("a", picture(), "image/png")})
    headers = {"content-type": request.headers["content-type"]}
    assert refusal(client.post("/link", content=request.read()[:cut], headers=headers))


@pytest.mark.parametrize("cut", [0, 8, 20, 40])
def test_picture_that_ends_too_early_is_refused(client: TestClient, cut: int) -> None:
    reply = client.post("/link", data=FORM, files={"image": ("a", picture()[:cut], "image/png")})
    assert "image: " in refusal(reply)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nope", 404),
        ("/page/..%2fapp.py", 404),
        ("/page/nobody.js", 404),
        ("/entities/Q0%00", 404),
        ("/entities", 400),
        ("/entities?prefix=a&limit=0", 400),
        ("/entities?prefix=a&limit=101", 400),
        ("/entities?prefix=a&limit=NaN", 400),
        (f"/entities?prefix={'a' * 201}", 400),
        ("/link", 405),
    ],
)
def test_look_up_of_what_is_not_there_has_a_sentence(client: TestClient, path: str, status: int) -> None:
    assert refusal(client.get(path), status)


def test_prefix_that_is_no_text_finds_nothing(client: TestClient) -> None:
    assert client.get("/entities?prefix=%ed%a0%80%ff").json() == {"entities": []}


def test_what_has_no_room_hears_it_at_once_and_when_to_come_back(client: TestClient) -> None:
    desk = app.state.desk
    with desk._batcher.room(desk.settings.max_inside):
        reply = client.post("/link", json=POST)
        assert "and 256 may; try again later" in refusal(reply, 429)
        assert reply.headers["retry-after"] == "1"
        assert refusal(client.post("/link_batch", json={"posts": [POST]}), 429)
        assert client.get("/entities/Q308").status_code == 200
    assert client.post("/link", json=POST).status_code == 200


def test_batch_that_can_never_have_room_is_told_to_come_in_parts(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = app.state.desk
    monkeypatch.setattr(desk, "settings", desk.settings.model_copy(update={"max_inside": 8}))
    explained = POST | {"explain": True}
    words = "posts: 12, more than the 8 allowed (mentions that may wait, each that is to be explained counting as four"
    assert words in refusal(client.post("/link_batch", json={"posts": [explained] * 3}))
    assert client.post("/link_batch", json={"posts": [explained] * 2}).status_code == 200


def test_answers_are_never_mixed_up(client: TestClient, tiny_release: Path, tiny_dataset: Path) -> None:
    images = [tiny_dataset / "images" / f"{number:02d}.png" for number in range(5)]
    names = sorted({mention for _, _, _, mention, _ in WHO})
    posts = [
        Post(f"Look, {name} {n}", (Mention(name),), image) for (n, image), name in product(enumerate(images), names)
    ]
    linker = Linker.load(tiny_release)
    expected = [[one.entity_id for one in linker.link([post])[0].candidates][:2] for post in posts]

    def ask(post: Post) -> list[str]:
        assert post.image is not None
        data = {"text": post.text, "mention": post.mentions[0].text, "top_k": "2"}
        (link,) = client.post("/link", data=data, files={"image": post.image.read_bytes()}).json()["links"]
        assert link["mention"] == post.mentions[0].text
        return [one["entity_id"] for one in link["candidates"]]

    with ThreadPoolExecutor(16) as callers:
        assert list(callers.map(ask, posts)) == expected


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The LLM finds no memory as often as this has entries."""
    errors: list[str] = []
    forward = LlamaForCausalLM.forward

    def fail(self: LlamaForCausalLM, *arguments: Any, **named: Any) -> Any:
        if errors:
            raise torch.OutOfMemoryError(errors.pop())
        return forward(self, *arguments, **named)

    monkeypatch.setattr(LlamaForCausalLM, "forward", fail)
    return errors


def test_batch_that_finds_no_memory_is_linked_in_smaller_ones(
    client: TestClient, no_memory: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    post = {"text": "A Jaguar, the Amazon, Mercury", "mentions": ["Jaguar", "Amazon", "Mercury"]}
    before = client.post("/link", json=post).json()["links"]
    no_memory += ["no room"] * 2
    with caplog.at_level("WARNING", "gemel"):
        after = client.post("/link", json=post).json()["links"]
    assert no_memory == []
    assert "at once" in caplog.text
    assert [link["entity_id"] for link in after] == [link["entity_id"] for link in before]


def test_mention_that_finds_no_memory_by_itself_is_a_503_and_the_next_is_answered(
    client: TestClient, no_memory: list[str]
) -> None:
    no_memory += ["no room"] * 50
    said = refusal(client.post("/link", json=POST), 503)
    assert said == "the linker can't answer this now; the service's log says why"
    no_memory.clear()
    assert client.post("/link", json=POST).status_code == 200
