"""The client asks as the library is asked, gives back its classes, and says what is wrong with a service."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from gemel import connection
from gemel.client import Client
from gemel.core.errors import ConfigError, GemelError, ImageError, RequestError
from gemel.core.schema import Candidate, Demonstration, Entity, Mention, Post
from gemel.wire import (
    BatchItem,
    BatchReply,
    BatchRequest,
    EntitiesReply,
    ErrorReply,
    FeedbackReply,
    FeedbackRequest,
    FoundCandidate,
    FoundEntity,
    FoundExplanation,
    FoundLink,
    LinkReply,
    LinkRequest,
    ServiceInfo,
    ShownDemonstration,
    Wire,
)

CARS = FoundCandidate(entity_id="Q30055", name="Jaguar Cars", score=-0.5, probability=0.75)
EXPLANATION = FoundExplanation(
    without_image=(CARS,),
    without_demonstrations=(CARS,),
    demonstrations=(ShownDemonstration(text="t", mention="m", name="n", image=True),),
    blind_score=-1.0,
)
MAKER = FoundEntity(
    entity_id="Q30055",
    name="Jaguar Cars",
    label="Jaguar",
    description="maker",
    type="car",
    aliases=("JLR",),
    popularity=2,
    url=None,
)
LIMITS = {"posts": 3, "batch_mentions": 4, "image_bytes": 3_000}
POST = Post("A Jaguar at dusk", (Mention("Jaguar", 2, 8, candidates=("Q30055",), entity_type="car"),), post_id="p1")
Handler = Callable[[httpx.Request], httpx.Response]


def found(mention: str, **more: Any) -> FoundLink:
    facts = {"mention": mention, "start": None, "end": None, "entity_id": CARS.entity_id, "name": CARS.name}
    facts |= {"candidates": (CARS,), "nil": False, "nil_probability": 0.125, "sure": True, "image": "none", "notes": ()}
    return FoundLink.model_validate(facts | more)


def reply(message: Wire, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, text=message.model_dump_json(), headers={k.replace("_", "-"): headers[k] for k in headers}
    )


def refusal(status: int, why: str = "no such thing; give another", **headers: str) -> httpx.Response:
    return reply(ErrorReply(error=why, request_id="r1"), status, **headers)


class Service:
    """Plays a service. batches: the posts of each batch that came."""

    def __init__(self, limits: dict[str, int] | None = None) -> None:
        self.limits = LIMITS if limits is None else limits
        self.batches: list[tuple[LinkRequest, ...]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/info":
            facts = {"release": "abc", "dataset": "d", "accuracy": {}, "notice": "", "entities": 1, "feedback": "off"}
            return reply(ServiceInfo.model_validate(facts | {"token_needed": False, "limits": self.limits}))
        assert request.url.path == "/link_batch"
        posts = BatchRequest.model_validate_json(request.content, strict=True).posts
        self.batches.append(posts)
        return reply(BatchReply(results=tuple(map(self.item, posts)), release="abc", request_id="r1"))

    def item(self, post: LinkRequest) -> BatchItem:
        if post.text == "refused":
            return BatchItem(error="text: is refused; give another")
        named = [mention.text for mention in post.to_mentions()] or ["Found"]
        return BatchItem(links=tuple(found(mention, image="read" if post.image else "none") for mention in named))


def client_of(handler: Handler, **more: Any) -> Client:
    return Client("http://service:3000", transport=httpx.MockTransport(handler), **more)


def only(*responses: httpx.Response) -> tuple[Client, list[httpx.Request]]:
    """A client whose requests have these answers, and the requests."""
    asked: list[httpx.Request] = []
    left = list(responses)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return left.pop(0)

    return client_of(answer), asked


def posts(*counts: int) -> list[Post]:
    """Posts with so many mentions each."""
    return [Post(f"post {i}", tuple(Mention(f"m{i}.{j}") for j in range(count))) for i, count in enumerate(counts)]


def picture_file(path: Path) -> Path:
    Image.new("RGB", (4, 4), "red").save(path)
    return path


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(connection.time, "sleep", waits.append)
    return waits


def test_link_has_what_was_asked_and_what_was_answered(service: Service) -> None:
    (link,) = client_of(service).link([POST], results=2)
    assert (link.post_id, link.mention) == ("p1", POST.mentions[0])
    assert link.candidates == (Candidate("Q30055", "Jaguar Cars", -0.5, 0.75),)
    assert (link.nil_probability, link.sure, link.image) == (0.125, True, "none")
    (((sent,),),) = [service.batches]
    assert (sent.text, sent.to_mentions(), sent.top_k) == (POST.text, POST.mentions, 2)


def test_links_come_in_the_order_of_posts_and_mentions(service: Service) -> None:
    links = client_of(service).link(posts(2, 1, 3, 1, 1, 1))
    assert [link.mention.text for link in links] == [
        f"m{i}.{j}" for i, n in enumerate((2, 1, 3, 1, 1, 1)) for j in range(n)
    ]


@pytest.mark.parametrize(
    ("counts", "batches"),
    [
        ((1,) * 7, [3, 3, 1]),
        ((2, 2, 2), [2, 1]),
        ((3, 2, 2), [1, 2]),
        ((9, 1), [1, 1]),
        ((), []),
    ],
)
def test_batches_keep_to_the_limits_of_posts_and_mentions(
    service: Service, counts: tuple[int, ...], batches: list[int]
) -> None:
    client_of(service).link(posts(*counts))
    assert [len(batch) for batch in service.batches] == batches


def test_batch_is_no_larger_than_the_largest_image(service: Service, tmp_path: Path) -> None:
    image = tmp_path / "a.bin"
    image.write_bytes(bytes(1_400))
    mentions = (Mention("a"),)
    client_of(service).link([Post("text", mentions, image)] * 5)
    assert [len(batch) for batch in service.batches] == [2, 2, 1]


def test_post_without_mentions_has_those_that_are_found(service: Service) -> None:
    (link,) = client_of(service).link([Post("A text", (), post_id="p1")])
    assert (link.post_id, link.mention) == ("p1", Mention("Found"))
    assert service.batches[0][0].mentions is None


def test_image_file_is_sent_as_it_is(service: Service, tmp_path: Path) -> None:
    image = picture_file(tmp_path / "a.png")
    (link,) = client_of(service).link([Post("text", (Mention("text"),), image)])
    assert link.image == "read"
    assert base64.b64decode(service.batches[0][0].image or "") == image.read_bytes()


def test_picture_is_sent_as_png(service: Service, tmp_path: Path) -> None:
    picture = Image.new("CMYK", (4, 4))
    client_of(service).link([Post("text", (Mention("text"),), tmp_path / "none.png", picture=picture)])
    sent = Image.open(io.BytesIO(base64.b64decode(service.batches[0][0].image or "")))
    assert (sent.format, sent.size) == ("PNG", (4, 4))


def test_preprocessed_picture_is_refused(service: Service) -> None:
    with pytest.raises(RequestError, match="post 'p1': the picture is a list; give the decoded image, or its file"):
        client_of(service).link([Post("text", (Mention("text"),), post_id="p1", picture=[1.0])])  # type: ignore[arg-type]


def test_image_file_that_can_not_be_read_leaves_the_post_to_its_text(service: Service, tmp_path: Path) -> None:
    (link,) = client_of(service).link([Post("text", (Mention("text"),), tmp_path / "gone.png")])
    assert link.image == f"unreadable: {tmp_path / 'gone.png'}: no such file"
    assert service.batches[0][0].image is None


@pytest.mark.parametrize(("post_id", "name"), [("p7", "post 'p7'"), ("", "the post 'refused'")])
def test_refused_post_is_named(service: Service, post_id: str, name: str) -> None:
    with pytest.raises(RequestError, match=f"{name}: text: is refused; give another"):
        client_of(service).link([*posts(1), Post("refused", (Mention("x"),), post_id=post_id)])


def test_text_that_is_no_unicode_is_refused_here(service: Service) -> None:
    with pytest.raises(RequestError, match="post 'p1': holds a lone surrogate"):
        client_of(service).link([Post("\ud800", (Mention("x"),), post_id="p1")])
    with pytest.raises(RequestError, match="/feedback: what is to be sent holds a lone surrogate"):
        client_of(service).feedback("A Jaguar", "Jaguar", "\ud800")


def test_limits_are_asked_for_once(service: Service) -> None:
    asked = []

    def counted(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return service(request)

    client = client_of(counted)
    client.link(posts(1))
    client.link(posts(1))
    assert asked == ["/info", "/link_batch", "/link_batch"]


def test_explanation_has_the_posts_own_ids() -> None:
    client, asked = only(
        reply(LinkReply(links=(found("Jaguar", explanation=EXPLANATION),), release="a", request_id="r"))
    )
    (why,) = client.explain(POST)
    assert LinkRequest.model_validate_json(asked[0].content).explain
    assert (why.link.post_id, why.link.mention) == ("p1", POST.mentions[0])
    assert (why.demonstrations, why.image_moved) == ((Demonstration("t", "m", "n", True),), 0.5)


def test_missing_explanation_breaks_the_contract() -> None:
    client, _ = only(reply(LinkReply(links=(found("Jaguar"),), release="a", request_id="r")))
    with pytest.raises(GemelError, match=r"service:3000/link: not what this client expects .a link without an explan"):
        client.explain(POST)


def test_entities_are_the_librarys() -> None:
    expected = Entity("Q30055", "Jaguar Cars", "Jaguar", "maker", "car", ("JLR",), 2.0)
    client, asked = only(reply(MAKER), reply(EntitiesReply(entities=(MAKER,))))
    assert (client.entity("enwiki:A/B"), client.entities("jag & co", 3)) == (expected, [expected])
    assert [str(each.url) for each in asked] == [
        "http://service:3000/entities/enwiki%3AA%2FB",
        "http://service:3000/entities?prefix=jag+%26+co&limit=3",
    ]


@pytest.mark.parametrize("entity", ["Q30055", None])
def test_feedback_says_what_was_given(entity: str | None, tmp_path: Path) -> None:
    kept = FeedbackReply(id="c1", known=False, acts=True)
    client, asked = only(reply(kept))
    image = picture_file(tmp_path / "a.png")
    assert client.feedback("A Jaguar", "Jaguar", entity, image, start=2, end=8, answered="Q1", comment="no") == kept
    sent = FeedbackRequest.model_validate_json(asked[0].content, strict=True)
    assert (sent.entity_id, sent.start, sent.end, sent.answered, sent.comment) == (entity, 2, 8, "Q1", "no")
    assert base64.b64decode(sent.image or "") == image.read_bytes()


def test_feedback_with_an_absent_image_is_refused_here(tmp_path: Path) -> None:
    client, asked = only()
    with pytest.raises(ImageError, match=r"gone.png: no such file"):
        client.feedback("A Jaguar", "Jaguar", "Q1", tmp_path / "gone.png")
    assert asked == []


def test_token_is_sent_with_every_request() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["authorization"])
        return httpx.Response(200)

    assert client_of(answer, token="secret").ready()
    assert asked == ["Bearer secret"]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (
            None,
            r"http://service:3000: wants a token; this client was given none: pass the service's GEMEL_SERVICE_TOKEN",
        ),
        (
            "secret",
            r"wants a token; this client's is another: pass the service's GEMEL_SERVICE_TOKEN as Client\(token=…\)",
        ),
    ],
)
def test_missing_and_wrong_tokens_are_told_apart(token: str | None, words: str) -> None:
    client = client_of(lambda _: refusal(401, "wants a token"), token=token)
    with pytest.raises(RequestError, match=words) as error:
        client.info()
    assert "secret" not in str(error.value)


def test_refusal_has_the_services_sentence() -> None:
    client, _ = only(refusal(404, "no entity 'Q0' in the catalog of 5"))
    with pytest.raises(RequestError, match=r"^no entity 'Q0' in the catalog of 5$"):
        client.entity("Q0")


def test_batch_of_one_post_that_is_refused_names_it(service: Service) -> None:
    client = client_of(lambda request: service(request) if request.method == "GET" else refusal(413, "too large"))
    with pytest.raises(RequestError, match="post 'p1': too large"):
        client.link([POST])


def test_busy_service_is_asked_again_when_it_says(slept: list[float]) -> None:
    client, asked = only(refusal(429, retry_after="7"), refusal(429), reply(MAKER))
    assert client.entity("Q30055").name == "Jaguar Cars"
    assert (len(asked), slept) == (3, [7, 1])


def test_service_that_stays_busy_is_given_up(slept: list[float]) -> None:
    client, asked = only(*(refusal(429, "too many wait", retry_after="999999") for _ in range(3)))
    with pytest.raises(RequestError, match="too many wait"):
        client.entity("Q30055")
    assert (len(asked), slept) == (3, [30, 30])


@pytest.mark.parametrize("given", ["Wed, 21 Oct 2026 07:28:00 GMT", "nan", "-5"])
def test_odd_retry_after_is_no_long_wait(given: str, slept: list[float]) -> None:
    client, _ = only(refusal(429, retry_after=given), reply(MAKER))
    client.entity("Q30055")
    assert slept in ([1], [0])


def test_error_of_the_service_says_where() -> None:
    client, _ = only(refusal(503, "no answer within 60 seconds"))
    with pytest.raises(GemelError, match="http://service:3000/info: status 503: no answer within 60 seconds") as error:
        client.info()
    assert not isinstance(error.value, RequestError)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>hello</html>"),
        httpx.Response(200, json={"name": "another service"}),
        httpx.Response(302, headers={"location": "/login"}),
    ],
)
def test_other_program_is_told(response: httpx.Response) -> None:
    client, _ = only(response)
    with pytest.raises(
        GemelError, match=r"service:3000/info: (not what this client expects .* same version|status 302)"
    ):
        client.info()


@pytest.mark.parametrize("limits", [{}, {"posts": 3, "image_bytes": 9}])
def test_service_without_limits_is_told(limits: dict[str, int]) -> None:
    with pytest.raises(GemelError, match=r"/info: not what this client expects .no limits of batch_mentions"):
        client_of(Service(limits)).link(posts(1))


@pytest.mark.parametrize(
    ("results", "words"),
    [((), "0 results for 1 posts"), ((BatchItem(links=(found("a"), found("b"))),), "2 links for 1 mentions")],
)
def test_answers_that_do_not_belong_to_what_was_asked_are_told(
    service: Service, results: tuple[BatchItem, ...], words: str
) -> None:
    answer = BatchReply(results=results, release="a", request_id="r")
    client = client_of(lambda request: service(request) if request.method == "GET" else reply(answer))
    with pytest.raises(GemelError, match=f"/link_batch: not what this client expects .{words}"):
        client.link([POST])


def fails(error: type[httpx.TransportError]) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("refused", request=request)

    return answer


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError, r"http://service:3000/info: no connection \(refused\); start .* `bentoml serve`, or give"),
        (httpx.ReadTimeout, r"/info: no answer within 60 s; send fewer posts, or raise timeout"),
    ],
)
def test_no_connection_says_what_to_run(error: type[httpx.TransportError], words: str) -> None:
    with pytest.raises(GemelError, match=words):
        client_of(fails(error)).info()


def test_address_that_is_none_is_told() -> None:
    with pytest.raises(
        ConfigError, match=r"http://host:port: no address of a service .*; give one like http://127.0.0.1:3000"
    ):
        Client("http://host:port")


def test_ready_is_whether_it_answers_well() -> None:
    answers = [client_of(lambda _, s=status: httpx.Response(s)).ready() for status in (200, 503)]
    assert [*answers, client_of(fails(httpx.ConnectError)).ready()] == [True, False, False]


def test_connections_are_closed_at_the_end(service: Service) -> None:
    with client_of(service) as client:
        client.info()
    with pytest.raises(RuntimeError, match="closed"):
        client.info()


def test_no_torch_is_imported() -> None:
    code = (
        "import gemel.client, sys, json; print(json.dumps([m for m in ('torch', 'transformers') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
