"""Feedback is kept, and acts as a demonstration where the operator allows it."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import bentoml_home, running_service
from starlette.testclient import TestClient

from bento.feedback import FEEDBACK
from bento.release_store import RELEASE_VARIABLE

TEXT = "Nobody has ever seen such a Mercury"
GIVEN = {"text": TEXT, "mention": "Mercury", "entity_id": "Q925", "answered": "Q308"}
PATIENCE = 60.0


@pytest.fixture
def folder(tmp_path: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(RELEASE_VARIABLE, str(tiny_release))
    monkeypatch.setenv("GEMEL_SERVICE_FEEDBACK_FOLDER", str(tmp_path / "feedback"))
    monkeypatch.setenv("GEMEL_SERVICE_LOOK_SECONDS", "0.05")
    with bentoml_home(tmp_path / "bentoml"):
        yield tmp_path / "feedback"


@pytest.fixture
def client(folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    assert folder.parent.is_dir()
    monkeypatch.setenv("GEMEL_SERVICE_FEEDBACK", request.param)
    with running_service() as client:
        yield client


def demonstrations(client: TestClient) -> list[dict[str, Any]]:
    asked = {"text": "Some Mercury", "mentions": ["Mercury"], "explain": True}
    return client.post("/link", json=asked).json()["links"][0]["explanation"]["demonstrations"]


def comes_to_act(client: TestClient) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if any(one["text"] == TEXT for one in demonstrations(client)):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.usefixtures("folder")
def test_correction_is_a_demonstration_from_now_on_and_after_a_restart(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMEL_SERVICE_FEEDBACK", "act")
    image = base64.b64encode((tiny_dataset / "images" / "00.png").read_bytes()).decode()
    with running_service() as client:
        reply = client.post("/feedback", json=GIVEN | {"image": image})
        assert reply.status_code == 200, reply.text
        assert (reply.json()["acts"], reply.json()["known"]) == (True, False)
        assert comes_to_act(client)
        (shown,) = (one for one in demonstrations(client) if one["text"] == TEXT)
        assert (shown["name"], shown["image"]) == ("Mercury (element)", True)
    with running_service() as again:
        assert TEXT in [one["text"] for one in demonstrations(again)]


@pytest.mark.parametrize("client", ["keep"], indirect=True)
def test_correction_is_kept_and_does_not_act(client: TestClient, folder: Path) -> None:
    first, second = (client.post("/feedback", json=GIVEN).json() for _ in range(2))
    assert (first["acts"], first["known"], second["known"]) == (False, False, True)
    nil = client.post("/feedback", json=GIVEN | {"entity_id": None, "comment": "a car"})
    assert nil.status_code == 200
    rows = [json.loads(line) for line in (folder / FEEDBACK).read_text().splitlines()]
    assert [row["mentions"][0]["entity"] for row in rows] == ["Q925", None]
    assert (rows[0]["answered"], rows[1]["comment"]) == ("Q308", "a car")
    assert TEXT not in [one["text"] for one in demonstrations(client)]


@pytest.mark.parametrize("client", ["keep"], indirect=True)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entity_id": "Q0"}, "entity_id: no entity 'Q0' in the catalog"),
        ({"mention": "Venus"}, "mention: 'Venus' is not in the text"),
        ({"start": 0, "end": 7}, "which holds 'Nobody ' and not the mention 'Mercury'"),
        ({"image": "bm8="}, "not an image of JPEG"),
        ({"text": ""}, "text: is empty"),
    ],
)
def test_feedback_that_cannot_be_used_is_refused(client: TestClient, change: dict[str, Any], words: str) -> None:
    reply = client.post("/feedback", json=GIVEN | change)
    assert reply.status_code == 400
    assert words in reply.json()["error"]


@pytest.mark.parametrize("client", ["off"], indirect=True)
def test_service_that_takes_no_feedback_says_so(client: TestClient) -> None:
    reply = client.post("/feedback", json=GIVEN)
    assert reply.status_code == 403
    assert "takes no feedback" in reply.json()["error"]
