"""The service answers over HTTP what the library answers, and says what is wrong with a request."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from running import bentoml_home, running_service
from starlette.testclient import TestClient

from bento.release_store import RELEASE_VARIABLE
from gemel.core.artifacts import artifact_hash
from gemel.core.schema import Link, Mention, Post
from gemel.predictor import Linker
from gemel.wire import BatchReply, EntitiesReply, FoundLink, LinkReply

TEXT = "A Jaguar in the morning"
POST = {"text": TEXT, "mention": "Jaguar"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path) -> Iterator[TestClient]:
    """A running service over the tiny release, started with an empty store."""
    home = tmp_path_factory.mktemp("service")
    patch = pytest.MonkeyPatch()
    patch.setenv(RELEASE_VARIABLE, str(tiny_release))
    patch.setenv("GEMEL_SERVICE_FEEDBACK_FOLDER", str(home / "feedback"))
    with bentoml_home(home / "bentoml"), running_service() as client:
        patch.undo()  # it is read at the start alone, and other tests set their own
        yield client


@pytest.fixture(scope="module")
def linker(tiny_release: Path) -> Linker:
    return Linker.load(tiny_release)


def picture(dataset: Path) -> Path:
    return dataset / "images" / "00.png"


def image_of(dataset: Path) -> dict[str, Any]:
    return {"image": ("0.png", picture(dataset).read_bytes(), "image/png")}


def links_of(reply: Any) -> tuple[FoundLink, ...]:
    assert reply.status_code == 200, reply.text
    return LinkReply.model_validate_json(reply.content).links


def assert_same(found: FoundLink, expected: Link) -> None:
    """The same candidates with the same scores, within rounding."""
    ours, theirs = found.to_link(), expected
    assert [one.entity_id for one in ours.candidates] == [one.entity_id for one in theirs.candidates]
    assert [one.score for one in ours.candidates] == pytest.approx([one.score for one in theirs.candidates], abs=1e-5)
    assert (ours.nil, ours.sure, ours.image, ours.notes) == (theirs.nil, theirs.sure, theirs.image, theirs.notes)


def test_answer_is_the_linkers(client: TestClient, linker: Linker, tiny_release: Path, tiny_dataset: Path) -> None:
    reply = client.post("/link", data=POST, files=image_of(tiny_dataset))
    (found,) = links_of(reply)
    (expected,) = linker.link([Post(TEXT, (Mention("Jaguar"),), picture(tiny_dataset))])
    assert_same(found, expected)
    assert (found.entity_id, found.name) == (expected.best.entity_id, expected.best.name)
    assert found.image == "read"
    assert reply.json()["release"] == artifact_hash(tiny_release)[:16]


def test_json_says_the_same_as_a_form(client: TestClient, tiny_dataset: Path) -> None:
    image = base64.b64encode(picture(tiny_dataset).read_bytes()).decode()
    as_json = client.post("/link", json={"text": TEXT, "mentions": ["Jaguar"], "image": image})
    as_form = client.post("/link", data=POST, files=image_of(tiny_dataset))
    assert links_of(as_json) == links_of(as_form)


def test_image_may_be_left_out(client: TestClient) -> None:
    (found,) = links_of(client.post("/link", data=POST))
    assert found.image == "none"


def test_several_mentions_have_a_link_each_in_their_order(client: TestClient) -> None:
    data = {"text": "A Jaguar at the Amazon", "mention": ["Amazon", "Jaguar"]}
    assert [link.mention for link in links_of(client.post("/link", data=data))] == ["Amazon", "Jaguar"]


def test_mentions_with_offsets_come_as_json(client: TestClient) -> None:
    mentions = json.dumps([{"mention": "Jaguar", "start": 10, "end": 16}, "Amazon"])
    found = links_of(client.post("/link", data={"text": "Jaguar! A Jaguar. Amazon", "mentions": mentions}))
    assert [(link.mention, link.start, link.end) for link in found] == [("Jaguar", 10, 16), ("Amazon", None, None)]


def test_mentions_that_are_not_given_are_found(client: TestClient) -> None:
    (found,) = links_of(client.post("/link", data={"text": "Great shot of the Jaguar"}))
    assert (found.mention, found.start, found.end) == ("Jaguar", 18, 24)
    assert links_of(client.post("/link", data={"text": "nothing to see here"})) == ()


def test_choice_is_made_among_candidates_and_types(client: TestClient) -> None:
    among = {**POST, "candidate": ["Q308", "Q925"]}
    (found,) = links_of(client.post("/link", data=among))
    assert {one.entity_id for one in found.candidates} == {"Q308", "Q925"}
    (found,) = links_of(client.post("/link", data={**among, "type": "planet"}))
    assert [one.entity_id for one in found.candidates] == ["Q308"]


def test_top_k_cuts_the_candidates_and_changes_nothing_else(client: TestClient) -> None:
    (whole,) = links_of(client.post("/link", data=POST))
    (cut,) = links_of(client.post("/link", data={**POST, "top_k": "1"}))
    assert cut.candidates == whole.candidates[:1]


def test_explanation_is_the_linkers(client: TestClient, linker: Linker, tiny_dataset: Path) -> None:
    (found,) = links_of(client.post("/link", data={**POST, "explain": "true"}, files=image_of(tiny_dataset)))
    (expected,) = linker.explain(Post(TEXT, (Mention("Jaguar"),), picture(tiny_dataset)))
    ours = found.to_explanation()
    assert ours is not None
    assert ours.demonstrations == expected.demonstrations
    assert [one.entity_id for one in ours.without_image] == [one.entity_id for one in expected.without_image]
    assert ours.image_moved == pytest.approx(expected.image_moved, abs=1e-5)


def test_batch_has_a_result_for_each_post_and_a_bad_one_harms_no_other(client: TestClient) -> None:
    good = {"text": TEXT, "mentions": ["Jaguar"]}
    unknown = {"text": TEXT, "mentions": [{"mention": "Jaguar", "candidates": ["Q0"]}]}
    posts = [good, {"text": " ", "mentions": ["x"]}, unknown, {**good, "image": "bm8="}, good]
    reply = BatchReply.model_validate_json(client.post("/link_batch", json={"posts": posts}).content)
    said = [item.error for item in reply.results]
    assert [bool(why) for why in said] == [False, True, True, True, False]
    for why, words in zip(said[1:4], ("text: is empty", "no entity 'Q0'", "not an image of JPEG"), strict=True):
        assert words in (why or "")
    assert_same(reply.results[0].links[0], reply.results[4].links[0].to_link())


def test_entity_is_found_by_id_and_by_the_beginning_of_its_name(client: TestClient) -> None:
    assert client.get("/entities/Q308").json()["type"] == "planet"
    found = EntitiesReply.model_validate_json(client.get("/entities", params={"prefix": "JAG"}).content)
    assert [(one.entity_id, one.url) for one in found.entities] == [
        ("Q35694", "http://www.wikidata.org/entity/Q35694"),
        ("Q30055", "http://www.wikidata.org/entity/Q30055"),
    ]
    reply = client.get("/entities/Q0")
    assert reply.status_code == 404
    assert "no entity 'Q0' in the catalog of 5 entities" in reply.json()["error"]


def test_info_says_what_is_served(client: TestClient, tiny_release: Path) -> None:
    info = client.get("/info").json()
    assert (info["release"], info["dataset"], info["entities"]) == (artifact_hash(tiny_release)[:16], "tiny", 5)
    assert info["notice"] == "The tiny models know nothing."
    assert (info["token_needed"], info["limits"]["text"]) == (False, 4000)


def test_description_has_every_body_with_examples(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    for path, model in (("/link", "LinkRequest"), ("/link_batch", "BatchRequest"), ("/feedback", "FeedbackRequest")):
        content = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert content["schema"] == {"$ref": f"#/components/schemas/{model}"}
        assert model in described["components"]["schemas"]
        for example in content["examples"].values():
            assert set(example["value"]) <= set(described["components"]["schemas"][model]["properties"])
    assert "multipart/form-data" in described["paths"]["/link"]["post"]["requestBody"]["content"]


def test_request_has_the_id_that_it_came_with_or_a_new_one(client: TestClient) -> None:
    reply = client.post("/link", data=POST, headers={"x-request-id": "abc-1"})
    assert (reply.headers["x-request-id"], reply.json()["request_id"]) == ("abc-1", "abc-1")
    made = client.post("/link", data={"text": ""}, headers={"x-request-id": "no {good}"})
    assert len(made.json()["request_id"]) == 32


def test_links_are_counted_for_prometheus(client: TestClient) -> None:
    def counted() -> float:
        found = (sample for metric in REGISTRY.collect() for sample in metric.samples)
        return sum(sample.value for sample in found if sample.name == "gemel_links_total")

    before = counted()
    client.post("/link", data={"text": "A Jaguar at the Amazon", "mention": ["Amazon", "Jaguar"]})
    assert counted() == before + 2


def test_probes_answer(client: TestClient) -> None:
    assert [client.get(path).status_code for path in ("/livez", "/readyz", "/healthz")] == [200, 200, 200]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"text": " ", "mention": "Jaguar"}, "text: is empty"),
        ({"text": "A Jaguar", "mention": ""}, "mention: is empty"),
        ({"mention": "Jaguar"}, "text: Field required"),
        ({**POST, "img": "x"}, "unknown field 'img'; known fields: text, mentions"),
        ({**POST, "mentions": "[]"}, "give either mentions, as JSON, or mention"),
        ({"text": TEXT, "mentions": "Jaguar"}, "mentions: no JSON"),
        ({"text": TEXT, "type": "planet"}, "give the mention too"),
        ({**POST, "image": "http://localhost/cat.png"}, "expected an uploaded file, got the string"),
        ({**POST, "image_url": "https://localhost/cat.png"}, "addresses are not fetched here"),
    ],
)
def test_bad_field_is_a_400_that_says_why(client: TestClient, data: dict[str, str], words: str) -> None:
    reply = client.post("/link", data=data)
    assert reply.status_code == 400
    assert words in reply.json()["error"]


@pytest.mark.parametrize("content", [b"no image", b""])
def test_undecodable_image_is_a_400(client: TestClient, content: bytes) -> None:
    reply = client.post("/link", data=POST, files={"image": ("a.png", content, "image/png")})
    assert reply.status_code == 400
    assert "image: not an image of JPEG, PNG" in reply.json()["error"]


def test_body_of_another_type_is_a_415(client: TestClient) -> None:
    reply = client.post("/link", content=b"<xml/>", headers={"content-type": "text/xml"})
    assert reply.status_code == 415
    assert "expected application/json or a form" in reply.json()["error"]
