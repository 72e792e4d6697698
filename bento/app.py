"""The routes. What they ask lies in the desk, which the service puts in its place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from bento.desk import Desk
from bento.limits import check_batch, check_count
from bento.logs import LOGGER
from bento.openapi import describe, request_body
from bento.reading import decoded, read_json, read_link
from bento.refusals import RefusedError, error_response, unexpected
from gemel.core.errors import BackboneError, DataError, ImageError, RequestError
from gemel.wire import (
    BatchReply,
    BatchRequest,
    EntitiesReply,
    ErrorReply,
    FeedbackReply,
    FeedbackRequest,
    FoundEntity,
    LinkReply,
    LinkRequest,
    ServiceInfo,
    found_entity,
)

log = logging.getLogger(LOGGER)
PAGE = Path(__file__).parent / "page"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MOST_ENTITIES, LONGEST_PREFIX = 100, 200
Result = TypeVar("Result")

_WRONG: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorReply, "description": words}
    for status, words in (
        (400, "what was sent can't be linked; the sentence says why"),
        (401, "the token is missing or wrong"),
        (408, "the body took too long to arrive"),
        (413, "the body is too large"),
        (415, "the body is of another type of content"),
        (429, "too much is waiting; try again later"),
        (503, "no answer in time"),
    )
}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with app.state.desk.open():
        yield


app = FastAPI(
    title="gemel",
    summary="Links mentions in image-text posts to the entities of a knowledge base.",
    docs_url=None,
    redoc_url=None,
    lifespan=_lifespan,
    responses=_WRONG,
)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


@app.post("/link", openapi_extra=request_body(LinkRequest, form=True), tags=["link"])
async def link(request: Request) -> LinkReply:
    """Link the mentions of one post: JSON, or a form with the image as a file.

    A form has the fields text, mention (once or several times; left out, they are found in the text), image, candidate
    (several times) and type for what the mentions may be, or mentions as JSON in place of these three, top_k, explain.
    """
    desk = _desk(request)
    wanted, image = await read_link(request, desk.settings)
    return await _unless_gone(request, desk.link(wanted, image, request.state.request_id, request.state.facts))


@app.post("/link_batch", openapi_extra=request_body(BatchRequest), tags=["link"])
async def link_batch(request: Request) -> BatchReply:
    """Link the mentions of several posts. A post that can't be linked has the reason in its place."""
    desk = _desk(request)
    wanted = await read_json(request, BatchRequest)
    check_batch(wanted.posts, desk.settings)
    return await _unless_gone(request, desk.link_batch(wanted, request.state.request_id, request.state.facts))


@app.get("/entities/{entity_id}", tags=["entities"])
async def entity(request: Request, entity_id: str) -> FoundEntity:
    """An entity of the catalog, or the one that it was merged into."""
    try:
        return found_entity(_desk(request).engine.release.catalog.entity(entity_id))
    except DataError as error:
        raise RefusedError(HTTPStatus.NOT_FOUND, f"{error}; GET /entities?prefix= finds entities by name") from None


@app.get("/entities", tags=["entities"])
async def entities(
    request: Request,
    prefix: Annotated[str, Query(description="how a name, label or alias begins, in any case", examples=["jag"])],
    limit: Annotated[int, Query(ge=1, description=f"at most {MOST_ENTITIES}")] = 10,
) -> EntitiesReply:
    """Entities whose name, label or alias begins so, the best known first."""
    check_count("prefix", len(prefix), LONGEST_PREFIX, "characters")
    check_count("limit", limit, MOST_ENTITIES, "entities")
    release = _desk(request).engine.release
    found = release.prefixes.find(prefix, limit)
    return EntitiesReply(entities=tuple(found_entity(release.catalog.at(index)) for index in found))


@app.post("/feedback", openapi_extra=request_body(FeedbackRequest), tags=["feedback"])
async def feedback(request: Request) -> FeedbackReply:
    """Say what a mention really stands for. It is kept for training, and acts at once where the operator allows it."""
    desk = _desk(request)
    given = await read_json(request, FeedbackRequest)
    return await desk.feedback(given, decoded(given.image), request.state.request_id)


@app.get("/info", tags=["service"])
async def info(request: Request) -> ServiceInfo:
    """What is served, and the limits."""
    return _desk(request).info()


@app.get("/", include_in_schema=False)
async def page() -> Response:
    """The page for people."""
    return FileResponse(PAGE / "index.html", headers={"content-security-policy": PAGE_POLICY})


@app.get("/page/{name}", include_in_schema=False)
async def page_file(name: str) -> Response:
    """A file of the page."""
    known = {path.name: path for path in PAGE.iterdir() if path.is_file()}
    if name not in known:
        raise RefusedError(HTTPStatus.NOT_FOUND, f"no file {name[:80]!r} belongs to the page; open /")
    return FileResponse(known[name], headers={"content-security-policy": PAGE_POLICY})


async def _unless_gone(request: Request, work: Awaitable[Result]) -> Result:
    """Await an answer, but not for a caller who has gone."""
    answer, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the caller closed the connection before the answer")
    finally:
        answer.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@app.exception_handler(RefusedError)
async def _refused(request: Request, refusal: RefusedError) -> Response:
    return refusal.response(request.state.request_id)


@app.exception_handler(RequestError)
@app.exception_handler(ImageError)
async def _unlinkable(request: Request, error: Exception) -> Response:
    return error_response(HTTPStatus.BAD_REQUEST, str(error), request.state.request_id)


@app.exception_handler(RequestValidationError)
async def _invalid(request: Request, error: RequestValidationError) -> Response:
    words = "; ".join(map(_issue, error.errors()))
    return error_response(HTTPStatus.BAD_REQUEST, words, request.state.request_id)


def _issue(issue: dict[str, Any]) -> str:
    found = "" if issue["type"] == "missing" else f", found {str(issue['input'])[:80]!r}"
    return f"{issue['loc'][-1]}: {issue['msg']}{found}"


@app.exception_handler(HTTPException)
async def _no_route(request: Request, error: HTTPException) -> Response:
    words = f"{request.method} {request.url.path[:80]}: {error.detail}; GET /openapi.json lists what there is"
    return error_response(error.status_code, words, request.state.request_id, error.headers)


@app.exception_handler(BackboneError)
async def _unable(request: Request, error: BackboneError) -> Response:
    log.error("unable", extra={"facts": {"request_id": request.state.request_id, "why": str(error)}})
    words = "the linker can't answer this now; the service's log says why"
    return error_response(HTTPStatus.SERVICE_UNAVAILABLE, words, request.state.request_id)


@app.exception_handler(Exception)
async def _unexpected(request: Request, error: Exception) -> Response:  # noqa: ARG001 (the guard logs it)
    return unexpected(request.state.request_id)


describe(app)
