"""A client of the service, with the classes of the library: what `Linker` answers here, it asks for there."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from gemel.connection import LOCAL, NO_UNICODE, Connection
from gemel.core.errors import ImageError, RequestError
from gemel.core.images import read_bytes
from gemel.core.schema import Entity, Explanation, Link, Mention, Post
from gemel.posts.rows import reason
from gemel.wire import (
    BatchReply,
    BatchRequest,
    EntitiesReply,
    FeedbackReply,
    FeedbackRequest,
    FoundEntity,
    FoundLink,
    LinkReply,
    LinkRequest,
    ServiceInfo,
    WantedMention,
)

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class _Asked:
    """A post as it is sent. unread: why its image could not be read; None if it could, or there is none."""

    post: Post
    message: LinkRequest
    unread: str | None

    @property
    def size(self) -> int:
        """Characters that it takes in a body, about."""
        return len(self.message.text) + len(self.message.image or "")


class Client:
    """Talks to a running service. Use it in a `with`, or close it.

    Every call raises RequestError, with the service's sentence, for what the service refuses; GemelError if there is no
    connection, no answer in time, an error of the service, or something that is no reply of it.
    """

    def __init__(
        self,
        url: str = LOCAL,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """token: the service's GEMEL_SERVICE_TOKEN, where it has one. timeout: seconds for a reply. retries: how often
        a busy service is asked again. transport: another way to the service, such as its own process.

        Raises: ConfigError if the url is none.
        """
        self._connection = Connection(url, token, timeout, retries, transport)
        self._limits: Mapping[str, int] | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def link(self, posts: Sequence[Post], results: int | None = None) -> list[Link]:
        """Link every mention of some posts, in order; of a post without mentions, those that are found in its text.

        An image file that can't be read leaves the post to its text, and the link says so; one that the service can't
        decode is refused. results: candidates that are wanted of each mention; None: all that the service gives.
        Raises: RequestError, naming the post, if one is refused; none of the links come back then.
        """
        asked = [_asked(post, results) for post in posts]
        return [link for some in self._batches(asked) for link in self._linked(some)]

    def explain(self, post: Post, results: int | None = None) -> list[Explanation]:
        """Link every mention of a post, and say why it was linked so. results, Raises: as link has them."""
        asked = _asked(post, results, explain=True)
        try:
            reply = self._connection.post("/link", asked.message, LinkReply)
        except RequestError as error:
            raise _of_post(post, str(error)) from None
        found = [explanation for each in reply.links if (explanation := each.to_explanation()) is not None]
        if len(found) < len(reply.links):
            raise self._connection.broken("/link", "a link without an explanation")
        links = self._restored(asked, reply.links, "/link")
        return [replace(why, link=link) for why, link in zip(found, links, strict=True)]

    def entity(self, entity_id: str) -> Entity:
        """An entity of the catalog, or the one that it was merged into.

        Raises: RequestError if the catalog lacks it.
        """
        return _entity(self._connection.get(f"/entities/{quote(entity_id, safe='')}", FoundEntity))

    def entities(self, prefix: str, limit: int = 10) -> list[Entity]:
        """Entities whose name, label or alias begins so, the best known first."""
        reply = self._connection.get("/entities", EntitiesReply, {"prefix": prefix, "limit": limit})
        return [_entity(each) for each in reply.entities]

    def feedback(
        self,
        text: str,
        mention: str,
        entity_id: str | None,
        image: Path | Image | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
        answered: str | None = None,
        comment: str = "",
    ) -> FeedbackReply:
        """Say what a mention really stands for.

        entity_id: None if it is none of the catalog. start, end: characters of the text, where the mention occurs in it
        more than once. answered: the id that the service had given.
        Raises: RequestError if it can't be used, or the service takes none; ImageError if the image can't be read.
        """
        data = read_bytes(image) if isinstance(image, Path) else None if image is None else _png(image)
        facts = {"text": text, "mention": mention, "start": start, "end": end, "entity_id": entity_id}
        facts |= {"image": _base64(data), "answered": answered, "comment": comment}
        try:
            message = FeedbackRequest.model_validate(facts)
        except ValidationError as error:
            raise RequestError(f"the feedback: {reason(error)}") from None
        return self._connection.post("/feedback", message, FeedbackReply)

    def ready(self) -> bool:
        """Whether the service answers now."""
        return self._connection.is_there("/readyz")

    def info(self) -> ServiceInfo:
        """What is served, and the limits."""
        return self._connection.get("/info", ServiceInfo)

    def _batches(self, asked: Sequence[_Asked]) -> Iterator[list[_Asked]]:
        """Posts to send together, within the limits; a body is no larger than one with the largest image allowed."""
        if asked and self._limits is None:
            self._limits = self.info().limits
        most = self._limits or {}
        if asked and (missing := {"posts", "batch_mentions", "image_bytes"} - most.keys()):
            raise self._connection.broken("/info", f"no limits of {', '.join(sorted(missing))}")
        some: list[_Asked] = []
        mentions = size = 0
        for each in asked:
            mentions, size = mentions + len(each.post.mentions), size + each.size
            fits = mentions <= most["batch_mentions"] and size <= most["image_bytes"] * 4 // 3
            if some and not (fits and len(some) < most["posts"]):
                yield some
                some, mentions, size = [], len(each.post.mentions), each.size
            some.append(each)
        if some:
            yield some

    def _linked(self, some: Sequence[_Asked]) -> Iterator[Link]:
        path = "/link_batch"
        try:
            reply = self._connection.post(path, BatchRequest(posts=tuple(each.message for each in some)), BatchReply)
        except RequestError as error:
            raise _of_post(some[0].post, str(error)) if len(some) == 1 else error from None
        if len(reply.results) != len(some):
            raise self._connection.broken(path, f"{len(reply.results)} results for {len(some)} posts")
        for each, result in zip(some, reply.results, strict=True):
            if result.error is not None:
                raise _of_post(each.post, result.error)
            yield from self._restored(each, result.links, path)

    def _restored(self, asked: _Asked, found: Sequence[FoundLink], path: str) -> list[Link]:
        """Links with the ids of the post and of what was asked of each mention."""
        mentions = asked.post.mentions or tuple(each.to_link().mention for each in found)
        if len(found) != len(mentions):
            raise self._connection.broken(path, f"{len(found)} links for {len(mentions)} mentions")
        links = [
            replace(each.to_link(), post_id=asked.post.post_id, mention=mention)
            for each, mention in zip(found, mentions, strict=True)
        ]
        return links if asked.unread is None else [replace(link, image=f"unreadable: {asked.unread}") for link in links]


def _asked(post: Post, results: int | None, *, explain: bool = False) -> _Asked:
    """Raises: RequestError, naming the post, if it can't be sent."""
    data, unread = None, None
    try:
        if post.picture is not None:
            data = _png(post.picture)
        elif post.image is not None:
            data = read_bytes(post.image)
    except ImageError as error:
        unread = str(error)
    except RequestError as error:
        raise _of_post(post, str(error)) from None
    facts: dict[str, Any] = {"text": post.text, "image": _base64(data), "top_k": results, "explain": explain}
    try:
        "".join((post.text, *(mention.text for mention in post.mentions))).encode()
        mentions = tuple(_wanted(mention) for mention in post.mentions) or None
        return _Asked(post, LinkRequest.model_validate(facts | {"mentions": mentions}), unread)
    except UnicodeEncodeError:
        raise _of_post(post, NO_UNICODE) from None
    except ValidationError as error:
        raise _of_post(post, reason(error)) from None


def _wanted(one: Mention) -> WantedMention:
    return WantedMention(
        mention=one.text, start=one.start, end=one.end, candidates=one.candidates, type=one.entity_type
    )


def _of_post(post: Post, why: str) -> RequestError:
    return RequestError(f"post {post.post_id!r}: {why}" if post.post_id else f"the post {post.text[:80]!r}: {why}")


def _png(picture: Any) -> bytes:
    """Raises: RequestError if it is a vision vector, which only the encoder that made it can use."""
    from PIL.Image import Image

    if not isinstance(picture, Image):
        raise RequestError(f"the picture is a {type(picture).__name__}; give the decoded image, or its file")
    file = io.BytesIO()
    picture.convert("RGB").save(file, "png")
    return file.getvalue()


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def _entity(found: FoundEntity) -> Entity:
    return Entity(**found.model_dump(exclude={"type", "url"}), entity_type=found.type)
