"""The service answers over HTTP from the model store, and says what is wrong with a request or a release."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bentoml
import httpx
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models import ModelStore
from starlette.testclient import TestClient
from tiny_world import make_release

from bento import link_request
from bento.release_store import MODEL, RELEASE_VARIABLE, find_release
from bento.service import Gemel
from gemel.core.artifacts import MANIFEST, artifact_hash
from gemel.core.errors import ArtifactError
from gemel.core.schema import Mention, Post
from gemel.core.settings import BackboneSettings
from gemel.embedding import embed
from gemel.predictor import Linker

POST = {"text": "A Jaguar in the morning", "mention": "Jaguar"}


@contextmanager
def bentoml_home(home: Path) -> Iterator[Path]:
    """Give BentoML another home, with an empty store; it reads BENTOML_HOME only once a process."""
    (home / "models").mkdir(parents=True)
    store = ModelStore(home / "models")
    with BentoMLContainer.bentoml_home.patch(str(home)), BentoMLContainer.model_store.patch(store):
        yield home


@pytest.fixture
def empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv(RELEASE_VARIABLE, raising=False)
    with bentoml_home(tmp_path / "bentoml") as home:
        yield home


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path) -> Iterator[TestClient]:
    """A running service over the tiny release, started with an empty store."""
    home = tmp_path_factory.mktemp("service") / "bentoml"
    patch = pytest.MonkeyPatch()
    patch.setenv(RELEASE_VARIABLE, str(tiny_release))
    with bentoml_home(home), TestClient(app=Gemel.to_asgi()) as client:
        patch.undo()  # it is read at the start alone, and other tests set their own
        yield client


def image_of(dataset: Path, number: int = 0) -> dict[str, Any]:
    return {"image": (f"{number}.png", (dataset / "images" / f"{number:02d}.png").read_bytes(), "image/png")}


def test_answer_is_the_linkers(client: TestClient, tiny_release: Path, tiny_dataset: Path) -> None:
    reply = client.post("/link", data=POST, files=image_of(tiny_dataset))
    assert reply.status_code == 200, reply.text
    post = Post(POST["text"], (Mention(POST["mention"]),), tiny_dataset / "images" / "00.png")
    (expected,) = Linker.load(tiny_release).link([post])
    answer = reply.json()
    assert [answer["entity_id"], *(one["entity_id"] for one in answer["runners_up"])] == [
        candidate.entity_id for candidate in expected.candidates
    ]
    assert answer["score"] == pytest.approx(expected.best.score, abs=1e-5)
    assert (answer["name"], answer["image"], answer["notes"]) == (expected.best.name, "read", [])


def test_image_may_be_left_out(client: TestClient) -> None:
    answer = client.post("/link", data=POST).json()
    assert answer["image"] == "none"


def test_text_is_taken_as_it_stands(client: TestClient) -> None:
    answer = client.post("/link", data={"text": "1984", "mention": "1985"}).json()
    assert answer["notes"] == ["the mention '1985' does not occur in the text"]


def test_bentos_own_client_is_understood(client: TestClient) -> None:
    reply = client.post(
        "/link",
        data={"text": '"A \\"Jaguar\\""', "mention": '"\\"Jaguar\\""'},
        headers={"user-agent": "BentoML HTTP Client/1"},
    )
    assert reply.json()["notes"] == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"text": " ", "mention": "Jaguar"}, "its text is empty"),
        ({"text": "A Jaguar", "mention": ""}, "a mention is empty"),
        ({"text": "A Jaguar"}, "mention: the field is missing"),
        ({**POST, "img": "x"}, "unknown field 'img'; known fields: text, mention, image"),
        ({**POST, "text": "a" * 4001}, "at most 4000 characters"),
    ],
)
def test_bad_field_is_a_400_that_says_why(client: TestClient, data: dict[str, str], words: str) -> None:
    reply = client.post("/link", data=data)
    assert reply.status_code == 400
    assert words in reply.text


@pytest.mark.parametrize("content", [b"no image", b""])
def test_undecodable_image_is_a_400(client: TestClient, content: bytes) -> None:
    reply = client.post("/link", data=POST, files={"image": ("a.png", content, "image/png")})
    assert reply.status_code == 400
    assert "image: not an image of JPEG, PNG" in reply.text


@pytest.mark.parametrize("address", ["http://localhost:9/cat.png", "file:///etc/hostname", "/etc/hostname"])
def test_address_in_place_of_an_image_is_refused_and_not_fetched(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    fetched: list[object] = []
    monkeypatch.setattr(httpx.AsyncClient, "get", lambda *arguments, **_: fetched.append(arguments))
    for reply in (
        client.post("/link", data={**POST, "image": address}),
        client.post("/link", data=POST, files={"image": (None, address)}),
    ):
        assert reply.status_code == 400
        assert "expected an uploaded file, got the string" in reply.text
    assert fetched == []


def test_body_that_is_no_form_is_a_415(client: TestClient) -> None:
    reply = client.post("/link", json={**POST, "image": "/etc/hostname"})
    assert reply.status_code == 415
    assert "expected a form" in reply.text


def test_broken_form_is_a_400(client: TestClient) -> None:
    reply = client.post(
        "/link", content=b"--x\r\nnonsense", headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert reply.status_code == 400


@pytest.mark.parametrize("announced", [True, False])
def test_large_body_is_a_413(client: TestClient, monkeypatch: pytest.MonkeyPatch, announced: bool) -> None:
    monkeypatch.setattr(link_request, "MAX_BODY", 1000)
    request = client.build_request("POST", "/link", data=POST, files={"image": ("a.png", b"x" * 2000, "image/png")})
    body = request.read()
    headers = {"content-type": request.headers["content-type"]}
    reply = client.post("/link", content=body if announced else iter([body]), headers=headers)
    assert reply.status_code == 413
    assert "more than the 1000 bytes allowed" in reply.text


def test_release_is_imported_once_and_anew_when_it_changes(
    empty_store: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_release: Path,
    tiny_backbones: BackboneSettings,
    tiny_dataset: Path,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(RELEASE_VARIABLE, str(tiny_release))
    stored = find_release(tmp_path)
    assert stored.is_relative_to(empty_store)
    (model,) = bentoml.models.list(MODEL)
    assert model.tag.version == artifact_hash(tiny_release)[:16]
    assert model.info.labels == {
        "dataset": "tiny",
        "format": "2",
        "backbone": "reference",
        "accuracy_dev": "0.200",
        "accuracy_test": "0.200",
    }
    written = (stored / MANIFEST).stat().st_ctime_ns
    assert find_release(tmp_path) == stored
    assert (stored / MANIFEST).stat().st_ctime_ns == written
    monkeypatch.setenv(RELEASE_VARIABLE, str(make_release(tmp_path / "new", tiny_backbones, tiny_dataset, seed=1)))
    assert find_release(tmp_path) != stored
    assert len(bentoml.models.list(MODEL)) == 2


@pytest.mark.usefixtures("empty_store")
def test_half_imported_release_is_imported_again(
    monkeypatch: pytest.MonkeyPatch, tiny_release: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv(RELEASE_VARIABLE, str(tiny_release))
    stored = find_release(tmp_path)
    (stored / "mapper.safetensors").write_bytes(b"")
    assert find_release(tmp_path) == stored
    (stored / "model.yaml").unlink()
    assert find_release(tmp_path) == stored
    Linker.load(stored)


@pytest.mark.usefixtures("empty_store")
def test_without_a_release_the_latest_of_the_store_is_used(tiny_release: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"artifacts/release: no release .* run `make repro` \(or `dvc pull`\)"):
        find_release(tmp_path)
    shutil.copytree(tiny_release, tmp_path / "artifacts" / "release")
    stored = find_release(tmp_path)
    shutil.rmtree(tmp_path / "artifacts")
    assert find_release(tmp_path) == stored


@pytest.mark.usefixtures("empty_store")
def test_named_release_that_is_not_there_is_no_reason_to_take_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(RELEASE_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(ArtifactError, match="no release there, though GEMEL_RELEASE names it"):
        find_release(tmp_path)


@pytest.mark.usefixtures("empty_store")
def test_damaged_release_is_not_imported(monkeypatch: pytest.MonkeyPatch, tiny_release: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(tiny_release, tmp_path / "damaged")
    (damaged / "corpus.parquet").write_bytes(b"x")
    monkeypatch.setenv(RELEASE_VARIABLE, str(damaged))
    with pytest.raises(ArtifactError, match=r"corpus\.parquet: 1 bytes, but its manifest says"):
        find_release(tmp_path)


@pytest.mark.usefixtures("empty_store")
def test_release_with_its_models_is_imported_with_them(
    monkeypatch: pytest.MonkeyPatch, tiny_release: Path, tmp_path: Path
) -> None:
    embed(tiny_release, tmp_path / "embedded")
    monkeypatch.setenv(RELEASE_VARIABLE, str(tmp_path / "embedded"))
    stored = find_release(tmp_path)
    shutil.rmtree(tmp_path / "embedded")
    Linker.load(stored, root=tmp_path)
    assert bentoml.models.get(f"{MODEL}:latest").info.labels["backbone"] == "embed"


@pytest.mark.usefixtures("empty_store")
def test_release_of_a_newer_format_is_not_imported(
    monkeypatch: pytest.MonkeyPatch, tiny_release: Path, tmp_path: Path
) -> None:
    newer = shutil.copytree(tiny_release, tmp_path / "newer")
    manifest = json.loads((newer / MANIFEST).read_text())
    manifest["facts"]["format"] = 3
    (newer / MANIFEST).write_text(json.dumps(manifest))
    monkeypatch.setenv(RELEASE_VARIABLE, str(newer))
    with pytest.raises(ArtifactError, match=r"written by a newer gemel .*: upgrade gemel"):
        find_release(tmp_path)
    assert not bentoml.models.list()
