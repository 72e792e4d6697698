"""The service as a user starts it: `bentoml serve`, in processes of its own."""

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from launched import ROOT, launched
from playwright.sync_api import Browser

from gemel.client import Client
from gemel.core.schema import Mention, Post
from gemel.predictor import Linker

pytestmark = pytest.mark.slow
SECRET = "Great shot of the Jaguar and nobody else's business"


def test_whole_life(tmp_path: Path, tiny_release: Path, tiny_dataset: Path) -> None:
    settings = {"GEMEL_SERVICE_FEEDBACK_FOLDER": str(tmp_path / "feedback")}
    with launched(tmp_path, tiny_release, settings) as service:
        data = {"text": SECRET, "mention": "Jaguar"}
        first = httpx.post(f"{service.url}/link", data=data)
        assert first.status_code == 200, first.text
        assert "gemel_links_total{" in httpx.get(f"{service.url}/metrics").text
        assert "<title>gemel" in httpx.get(service.url).text

        asked = Post(SECRET, (Mention("Jaguar"),), tiny_dataset / "images" / "00.png", post_id="p1")
        with Client(service.url) as client:
            (found,) = client.link([asked])
        (expected,) = Linker.load(tiny_release).link([asked])
        assert (found.post_id, found.mention, found.image) == ("p1", asked.mentions[0], "read")
        assert [one.entity_id for one in found.candidates] == [one.entity_id for one in expected.candidates]

        # What is being answered when the end comes is answered.
        answers: list[httpx.Response] = []
        posts = {"posts": [{"text": SECRET, "mentions": ["Jaguar"], "explain": True}] * 48}
        ask = threading.Thread(target=lambda: answers.append(_ask(service.url, posts)))
        before = _linked(service.url)
        ask.start()
        while ask.is_alive() and _linked(service.url) == before:
            pass
        assert ask.is_alive()
        service.end()
        ask.join()
        assert [answer.status_code for answer in answers] == [200]

        said = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith('{"time"')]
        (link,) = (line for line in said if line.get("path") == "/link")
        assert (link["request_id"], link["status"]) == (first.json()["request_id"], 200)
        assert SECRET not in service.log.read_text()


def _ask(url: str, posts: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{url}/link_batch", json=posts, timeout=90)


def _linked(url: str) -> float:
    """Batches so far."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("gemel_batch_seconds_count"))


def test_what_cannot_be_served_is_told_in_a_sentence(tmp_path: Path) -> None:
    words = "no release there, though GEMEL_RELEASE names it; correct or unset it"
    with pytest.raises(AssertionError, match=words), launched(tmp_path, tmp_path / "nowhere", {}):
        pass
    assert "Traceback" not in (tmp_path / "service.log").read_text()


def test_readme_curl_line_works(tmp_path: Path) -> None:
    release = ROOT / "artifacts" / "release"
    if not release.is_dir():
        pytest.skip("there is no release of the sample; `make repro` makes it")
    (line,) = (line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("curl "))
    with launched(tmp_path, release, {"GEMEL_SERVICE_FEEDBACK": "off"}) as service:
        command = line.replace("http://127.0.0.1:3000", service.url)
        reply = json.loads(subprocess.check_output(["bash", "-c", command], cwd=ROOT))
    assert reply["links"][0]["name"] == "Jaguar Cars"


def test_person_visits_links_and_corrects(tmp_path: Path, tiny_release: Path, browser: Browser) -> None:
    settings = {"GEMEL_SERVICE_FEEDBACK_FOLDER": str(tmp_path / "feedback")}
    with launched(tmp_path, tiny_release, settings) as service, browser.new_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(service.url)
        page.click(".example")
        page.click("button.main")
        page.wait_for_selector(".card", timeout=60_000)
        assert page.locator(".bars").count() == 2
        said = httpx.get(f"{service.url}/info").json()
        assert said["release"] in page.inner_text("#took")
        page.click(".correction summary")
        page.fill("[role=combobox]", "mercury")
        page.click("[role=option]:has-text('planet')")
        page.click(".correction button[type=submit]")
        page.wait_for_selector(".said.done")
        assert all(url.startswith((service.url, "blob:", "data:")) for url in asked)
    (kept,) = (json.loads(line) for line in (tmp_path / "feedback" / "feedback.jsonl").read_text().splitlines())
    assert (kept["mentions"][0]["mention"], kept["mentions"][0]["entity"]) == ("Jaguar", "Q308")
