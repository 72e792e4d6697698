"""From the bytes of a request to messages: JSON or a form, held to the operator's limits."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bento.refusals import RefusedError, bad_request
from bento.settings import ServiceSettings
from gemel.posts.rows import reason
from gemel.wire import LinkRequest, Wire

JSON = "application/json"
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
ONCE = ("text", "mentions", "image_url", "type", "top_k", "explain")
SEVERAL = ("mention", "candidate")
UPLOAD = "image"

Message = TypeVar("Message", bound=Wire)


async def read_json(request: Request, message: type[Message]) -> Message:
    """The JSON of a body as a message.

    Raises: RefusedError if it is another type of content or no such message.
    """
    kind = _content_type(request)
    if kind != JSON:
        raise _unsupported(kind, JSON)
    return parsed(await request.body(), message)


def parsed(body: bytes, message: type[Message]) -> Message:
    """JSON as a message.

    Raises: RefusedError.
    """
    try:
        return message.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise bad_request(_cut(reason(error))) from None


async def read_link(request: Request, settings: ServiceSettings) -> tuple[LinkRequest, bytes | None]:
    """The post to link, and the bytes of its image, from JSON or a form.

    Raises: RefusedError if it is neither, or can't be read.
    """
    kind = _content_type(request)
    if kind == JSON:
        wanted = parsed(await request.body(), LinkRequest)
        return wanted, decoded(wanted.image)
    if kind not in FORMS:
        raise _unsupported(kind, f"{JSON} or a form ({' or '.join(FORMS)})")
    try:
        # Parts that are no file are small: the largest is the text.
        most = 4 * settings.max_text + 4_096 + 64 * settings.max_candidates
        form = await request.form(max_files=1, max_fields=settings.max_candidates + 100, max_part_size=most)
    except HTTPException as error:
        raise bad_request(f"the form can't be read: {error.detail}") from None
    # Some codecs that a caller may name as its charset are none of characters.
    except UnicodeError as error:
        raise bad_request(f"the form can't be read: {error}; leave the charset out, it is UTF-8") from None
    async with request.form():
        return await _of_form(form)


async def _of_form(form: FormData) -> tuple[LinkRequest, bytes | None]:
    known = (*ONCE, *SEVERAL, UPLOAD)
    unknown = next((name for name in form if name not in known), None)
    if unknown is not None:
        raise bad_request(f"unknown field {unknown[:80]!r}; known fields: {', '.join(known)}")
    image = await _uploaded(form)
    given = {name: _once(form, name) for name in ONCE if name in form}
    mentions = _mentions(form, given.pop("mentions", None), given.pop("type", ""))
    try:
        return LinkRequest.model_validate(given | {"mentions": mentions}), image
    except ValidationError as error:
        raise bad_request(_cut(reason(error))) from None


def _mentions(form: FormData, as_json: str | None, kind: str) -> list[Any] | None:
    """What the form says of the mentions; None where it says nothing, so that they are found."""
    named = [_text(value, "mention") for value in form.getlist("mention")]
    candidates = tuple(_text(value, "candidate") for value in form.getlist("candidate"))
    if as_json is not None:
        if named or candidates or kind:
            raise bad_request("give either mentions, as JSON, or mention with candidate and type, not both")
        try:
            found = from_json(as_json)
        except ValueError as error:
            raise bad_request(f'mentions: no JSON ({error}); e.g. [{{"mention": "Jaguar", "start": 18}}]') from None
        if not isinstance(found, list):
            raise bad_request("mentions: expected a JSON list of strings or objects with a mention")
        return found
    if not named and (candidates or kind):
        raise bad_request("candidate and type say what a mention may be; give the mention too")
    return [{"mention": one, "candidates": candidates, "type": kind} for one in named] or None


async def _uploaded(form: FormData) -> bytes | None:
    if UPLOAD not in form:
        return None
    (value, *more) = form.getlist(UPLOAD)
    if more:
        raise bad_request(f"{UPLOAD}: given {len(more) + 1} times; a post has at most one image")
    if isinstance(value, str):
        raise bad_request(
            f"{UPLOAD}: expected an uploaded file, got the string {value[:80]!r}; send the file itself "
            f"(curl: -F {UPLOAD}=@FILE)"
        )
    return await value.read()


def _once(form: FormData, name: str) -> str:
    (value, *more) = form.getlist(name)
    if more:
        raise bad_request(f"{name}: given {len(more) + 1} times; give it once")
    return _text(value, name)


def _text(value: str | UploadFile, name: str) -> str:
    if not isinstance(value, str):
        raise bad_request(f"{name}: expected a string, got a file")
    return value


def decoded(image: str | None) -> bytes | None:
    """The bytes of a base64 string.

    Raises: RefusedError if it is none.
    """
    if image is None:
        return None
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(
            f"image: expected the bytes of an image file as base64 ({error}); an address goes into image_url"
        ) from None


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _unsupported(kind: str, wanted: str) -> RefusedError:
    return RefusedError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"expected {wanted}, got {kind[:80] or 'no content type'!r}; "
        "curl: -F text=TEXT -F mention=MENTION -F image=@FILE",
    )


def _cut(why: str) -> str:
    return why if len(why) <= 1_000 else f"{why[:1_000]}…"
