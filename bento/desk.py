"""Between the routes and the engine: pictures are decoded, questions batched, releases exchanged, answers counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio.to_thread

from bento import measures
from bento.batcher import Batcher, Timed
from bento.engine import Engine, Linked, Question, Release
from bento.feedback import FeedbackFull, FeedbackStore, amended
from bento.images import check_picture, fetched, preprocessed
from bento.limits import check_feedback, check_link, check_room
from bento.logs import LOGGER
from bento.reading import decoded
from bento.records import Recorder
from bento.refusals import RefusedError, bad_request
from bento.settings import ServiceSettings
from gemel.core.errors import RequestError
from gemel.core.schema import Post
from gemel.predictor import check_post
from gemel.wire import (
    BatchItem,
    BatchReply,
    BatchRequest,
    FeedbackReply,
    FeedbackRequest,
    FoundLink,
    LinkReply,
    LinkRequest,
    ServiceInfo,
    found_link,
)

log = logging.getLogger(LOGGER)
Facts = dict[str, Any]


class Desk:
    """Answers what the routes are asked."""

    def __init__(self, root: Path, settings: ServiceSettings) -> None:
        """root: the project's. Raises: as Engine."""
        self.settings = settings
        self._amend = asyncio.Event()
        self._feedback = _feedback_store(root, settings)
        self._records = _recorder(root, settings)
        acting = self._feedback if settings.feedback == "act" else None
        self.engine = Engine(
            root, settings, None if acting is None else lambda bundle, linker: amended(bundle, acting, linker.encode)
        )
        self._batcher: Batcher[Question, Linked] = Batcher(
            self.engine.answer, settings.batch_mentions, settings.max_inside
        )
        self.check_room = self._batcher.check_room

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answer while it is open."""
        async with self._batcher.running():
            looking = asyncio.create_task(self._look())
            try:
                yield
            finally:
                looking.cancel()
                with suppress(asyncio.CancelledError):
                    await looking
        if self._records is not None:
            await anyio.to_thread.run_sync(self._records.close)

    async def link(self, wanted: LinkRequest, image: bytes | None, request_id: str, facts: Facts) -> LinkReply:
        """The links of a post. image: its bytes, in place of what the message says. facts: filled for the log."""
        check_link(wanted, self.settings)
        links, release = await self._linked(wanted, image, request_id)
        facts |= {"mentions": len(links), "release": release, **self._content(wanted.text)}
        return LinkReply(links=links, release=release, request_id=request_id)

    async def link_batch(self, wanted: BatchRequest, request_id: str, facts: Facts) -> BatchReply:
        """The links of some posts, each by itself."""
        check_room(sum(map(self._weight, wanted.posts)), self.settings)
        try:  # Where one of them finds no room, the others are not linked in vain.
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._item(post, request_id)) for post in wanted.posts]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        results, release = tuple(task.result() for task in tasks), self.engine.release.name
        facts |= {"posts": len(results), "release": release}
        return BatchReply(results=results, release=release, request_id=request_id)

    async def feedback(self, given: FeedbackRequest, image: bytes | None, request_id: str) -> FeedbackReply:
        """Keep a correction, and let it act if it may.

        Raises: RefusedError if no feedback is taken, it can't be used, or there is no room for more.
        """
        if self._feedback is None:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this service takes no feedback; its operator may allow it")
        check_feedback(given, self.settings)
        catalog = self.engine.release.catalog
        if given.entity_id is not None and given.entity_id not in catalog:
            raise bad_request(
                f"entity_id: no entity {given.entity_id[:80]!r} in the catalog; GET /entities?prefix= finds entities"
            )
        if image is not None:
            await check_picture(image, self.settings)
        store = self._feedback
        try:
            kept = await anyio.to_thread.run_sync(
                lambda: store.keep(given, image, self.engine.release.name, request_id)
            )
        except FeedbackFull as error:
            raise RefusedError(HTTPStatus.INSUFFICIENT_STORAGE, str(error)) from None
        acts = self.settings.feedback == "act" and given.entity_id is not None
        if acts:
            self._amend.set()
        return FeedbackReply(id=kept.id, known=kept.known, acts=acts)

    def info(self) -> ServiceInfo:
        """What is served."""
        settings, release = self.settings, self.engine.release
        limits = {"text": settings.max_text, "mention": settings.max_mention, "mentions": settings.max_mentions}
        limits |= {"image_bytes": int(settings.max_image), "pixels": settings.max_pixels, "top_k": settings.max_top_k}
        limits |= {"posts": settings.max_posts, "batch_mentions": settings.max_batch_mentions}
        return ServiceInfo(
            release=release.name,
            dataset=release.facts["dataset"],
            accuracy={split: figures["mean"] for split, figures in release.facts["accuracy"].items() if figures},
            notice=release.opened.bundle.settings.backbone.notice,
            entities=len(release.catalog),
            feedback=settings.feedback,
            token_needed=settings.token is not None,
            limits=limits,
        )

    def _weight(self, wanted: LinkRequest) -> int:
        """How much room a post of a batch will take; one that is refused takes none."""
        try:
            check_link(wanted, self.settings)
            return Question(self._post(wanted), explain=wanted.explain).weight
        except (RefusedError, RequestError):
            return 0

    async def _item(self, wanted: LinkRequest, request_id: str) -> BatchItem:
        try:
            check_link(wanted, self.settings)
            links, release = await self._linked(wanted, decoded(wanted.image), request_id)
        except RefusedError as refusal:
            if refusal.status != HTTPStatus.BAD_REQUEST:
                raise
            return BatchItem(error=str(refusal))
        except RequestError as error:
            return BatchItem(error=str(error))
        return BatchItem(links=links, release=release)

    async def _linked(
        self, wanted: LinkRequest, image: bytes | None, request_id: str
    ) -> tuple[tuple[FoundLink, ...], str]:
        post = self._post(wanted)
        if not post.mentions:
            return (), self.engine.release.name
        question = Question(post, explain=wanted.explain)
        with self._batcher.room(question.weight):
            question = replace(question, pixels=await self._pixels(wanted, image))
            timed = await self._in_time(self._batcher.ask(question, question.weight))
        measures.count(timed)
        if self._records is not None:
            self._records.add(post, timed, request_id, timed.answer.vector)
        found = zip(timed.answer.links, timed.answer.explanations, strict=True)
        return tuple(found_link(link, why, wanted.top_k) for link, why in found), timed.answer.release

    def _post(self, wanted: LinkRequest) -> Post:
        mentions = wanted.to_mentions()
        if not mentions:
            mentions = self.engine.release.finder.find(wanted.text)
            if len(mentions) > self.settings.max_mentions:
                raise bad_request(
                    f"{len(mentions)} mentions were found in the text, more than the {self.settings.max_mentions} "
                    "allowed; say which to link, or send the text in parts"
                )
        post = Post(wanted.text, mentions)
        if mentions:
            check_post(post)
        return post

    async def _pixels(self, wanted: LinkRequest, image: bytes | None) -> Any:
        if wanted.image_url is not None:
            if image is not None:
                raise bad_request("image and image_url: a post has one image; give one of the two")
            image = await fetched(wanted.image_url, self.settings)
        return None if image is None else await preprocessed(image, self.settings, self.engine.preprocess)

    async def _in_time(self, work: Awaitable[Timed[Linked]]) -> Timed[Linked]:
        seconds = self.settings.answer_seconds
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            words = f"no answer within {seconds:g} seconds; send fewer mentions at once, or try again later"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, words) from None

    async def _look(self) -> None:
        """Take up each new release, and feedback that is to act, for ever."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._amend.wait(), self.settings.look_seconds)
            await self._exchange(self.engine.prepared)
            if self._records is not None:
                measures.lost.set(self._records.lost)
            if self._amend.is_set():
                self._amend.clear()
                await self._exchange(self.engine.amended)

    async def _exchange(self, prepare: Callable[[], Release | None]) -> None:
        """Put another release in the place of the one in use, between two batches."""
        try:
            release = await anyio.to_thread.run_sync(prepare)
        # Whatever is wrong with another release: the one in use goes on.
        except Exception as error:
            measures.releases.labels("refused").inc()
            facts = {"in_use": self.engine.release.name, "why": str(error)}
            log.error("the new release is refused", extra={"facts": facts})
            return
        if release is None:
            return
        former = self.engine.release.name
        await self._batcher.between(lambda: self.engine.take_up(release))
        measures.releases.labels("taken up").inc()
        log.info("another release is in use", extra={"facts": {"release": release.name, "former": former}})

    def _content(self, text: str) -> Facts:
        return {"text": text} if self.settings.log_content else {}


def _feedback_store(root: Path, settings: ServiceSettings) -> FeedbackStore | None:
    if settings.feedback == "off":
        return None
    return FeedbackStore(root / settings.feedback_folder, int(settings.max_feedback))


def _recorder(root: Path, settings: ServiceSettings) -> Recorder | None:
    if settings.records == "off":
        return None
    folder, most = root / settings.records_folder, int(settings.max_records)
    return Recorder(folder, settings.records, settings.record_rows, settings.record_seconds, most)
