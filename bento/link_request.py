"""What a caller sends to `/link`, and how the body is read.

BentoML's own reader fetches a file field that comes as a string, as a URL; turns a text like `1984` into a number; and
has no limit for the body. So the form is read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from bentoml import IODescriptor
from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.validators import ContentType
from pydantic import Field
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

MAX_BODY = 20 * 1024 * 1024
MAX_TEXT, MAX_MENTION = 4_000, 200
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
# BentoML's own client writes text fields as JSON; everybody else means them as they stand.
JSON_CLIENT = "BentoML HTTP Client/"


class LinkRequest(IODescriptor):
    """A post with one mention. A field of the form that isn't named here is refused."""

    text: Annotated[str, Field(description="the post's text", max_length=MAX_TEXT)]
    mention: Annotated[str, Field(description="the string of the text to link", max_length=MAX_MENTION)]
    # None where there is none: BentoML makes a file field of this type, but not of `Path | None`.
    image: Annotated[Path, ContentType("image/*"), Field(description="the post's image, uploaded")] = Field(
        default_factory=lambda: None
    )

    @classmethod
    async def from_http_request(cls, request: Request, serde: object) -> LinkRequest:  # noqa: ARG003 (overrides)
        """Read a form.

        Raises: InvalidArgument, or another error with a 4xx status, that says what is wrong with the request.
        """
        form = await _read_form(request)
        as_json = request.headers.get("user-agent", "").startswith(JSON_CLIENT)
        try:
            _check_names(form, tuple(cls.model_fields))
            fields: dict[str, Any] = {name: _text(form, name, as_json) for name in ("text", "mention")}
            if "image" in form:
                fields["image"] = await _uploaded(form, "image")
        finally:
            await form.close()
        return cls.model_validate(fields)


async def _read_form(request: Request) -> FormData:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in FORMS:
        raise BentoMLException(
            f"expected a form ({' or '.join(FORMS)}), got {kind or 'no content type'!r}; "
            "curl: -F text=TEXT -F mention=MENTION -F image=@FILE",
            error_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    _check_size(int(request.headers.get("content-length", 0)))
    limited = Request(request.scope, _limited(request.receive))
    try:
        return await limited.form(max_files=1, max_fields=len(LinkRequest.model_fields))
    except HTTPException as error:
        raise InvalidArgument(f"the form can't be read: {error.detail}") from None


def _limited(receive: Receive) -> Receive:
    """The same stream, which breaks off where it exceeds MAX_BODY."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        _check_size(taken)
        return message

    return counted


def _check_size(size: int) -> None:
    if size > MAX_BODY:
        raise BentoMLException(
            f"the body has more than the {MAX_BODY} bytes allowed; scale the image down",
            error_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )


def _check_names(form: Mapping[str, object], known: tuple[str, ...]) -> None:
    unknown = [name for name in form if name not in known]
    if unknown:
        raise InvalidArgument(f"unknown field {unknown[0][:80]!r}; known fields: {', '.join(known)}")


async def _uploaded(form: FormData, name: str) -> bytes:
    value = form[name]
    if isinstance(value, str):
        raise InvalidArgument(
            f"{name}: expected an uploaded file, got the string {value[:80]!r}; addresses are not fetched, so send the "
            f"file itself (curl: -F {name}=@FILE)"
        )
    return await value.read()


def _text(form: FormData, name: str, as_json: bool) -> str:
    value = form.get(name)
    if value is None:
        raise InvalidArgument(f"{name}: the field is missing; send text and mention, and an image if there is one")
    if isinstance(value, UploadFile):
        raise InvalidArgument(f"{name}: expected a string, got a file")
    return str(json.loads(value)) if as_json else value
