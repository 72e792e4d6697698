"""Requests that are refused: the status and the sentence that the caller gets."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from gemel.wire import ErrorReply


class RefusedError(Exception):
    """A request that can't be answered. headers: of the response."""

    def __init__(self, status: HTTPStatus, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status, self.headers = status, headers

    def response(self, request_id: str) -> Response:
        """The response that says why."""
        return error_response(self.status, str(self), request_id, self.headers)


def bad_request(why: str) -> RefusedError:
    """The caller sent what can't be linked."""
    return RefusedError(HTTPStatus.BAD_REQUEST, why)


def error_response(status: int, why: str, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """An ErrorReply."""
    # Broken Unicode in what a caller sent must not break the sentence about it.
    said = why.encode("utf-8", "replace").decode()
    return JSONResponse(ErrorReply(error=said, request_id=request_id).model_dump(), int(status), dict(headers or {}))


def unexpected(request_id: str) -> Response:
    """What a caller hears of an error that nobody foresaw: nothing of its inside."""
    words = "an error that should not happen; the service's log has it under this request's id"
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, words, request_id)
