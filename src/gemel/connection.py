"""Requests to a running service and its replies; what went wrong becomes an error of the library."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from gemel.core.errors import ConfigError, GemelError, RequestError
from gemel.posts.rows import reason
from gemel.wire import ErrorReply, Wire

LOCAL = "http://127.0.0.1:3000"
# Seconds. A service that asks for more is down, and its caller should know.
LONGEST_WAIT = 30
LONGEST_SENTENCE = 500
NO_UNICODE = "holds a lone surrogate, which is no character; repair the encoding"
Reply = TypeVar("Reply", bound=Wire)


class Connection:
    """Talks to a service.

    Raises, wherever it asks: RequestError, with the service's sentence, for what the service refuses; GemelError if
    there is no connection, no answer in time, an error of the service, or something that is no reply of it.
    """

    def __init__(
        self, url: str, token: str | None, timeout: float, retries: int, transport: httpx.BaseTransport | None
    ) -> None:
        """As Client."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)
        except httpx.InvalidURL as error:
            raise ConfigError(f"{url}: no address of a service ({error}); give one like {LOCAL}") from None
        self._url, self._token, self._timeout, self._retries = url.rstrip("/"), token, timeout, max(retries, 0)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, kind: type[Reply], query: Mapping[str, Any] | None = None) -> Reply:
        """The reply to a question."""
        return self._parsed(self._sent("GET", path, params=query), path, kind)

    def post(self, path: str, message: Wire, kind: type[Reply]) -> Reply:
        """The reply to a message."""
        try:
            body = message.model_dump_json(exclude_defaults=True)
        except PydanticSerializationError:
            raise RequestError(f"{path}: what is to be sent {NO_UNICODE}") from None
        found = self._sent("POST", path, content=body, headers={"content-type": "application/json"})
        return self._parsed(found, path, kind)

    def is_there(self, path: str) -> bool:
        """Whether the service answers well, now."""
        try:
            return self._http.get(path).is_success
        except httpx.HTTPError:
            return False

    def broken(self, path: str, found: str) -> GemelError:
        """The error for a reply that isn't what it should be."""
        return GemelError(
            f"{self._url}{path}: not what this client expects ({found}); give the url of a gemel service of the same "
            "version"
        )

    def _sent(self, method: str, path: str, **what: Any) -> httpx.Response:
        """The response to a request, asked again while the service is too busy."""
        for left in range(self._retries, -1, -1):
            try:
                response = self._http.request(method, path, **what)
            except httpx.TimeoutException:
                raise GemelError(
                    f"{self._url}{path}: no answer within {self._timeout:g} s; send fewer posts, or raise timeout"
                ) from None
            except httpx.HTTPError as error:
                raise GemelError(
                    f"{self._url}{path}: no connection ({error}); start the service with `bentoml serve`, or give its "
                    "url"
                ) from None
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS or not left:
                break
            time.sleep(_wait(response))
        return response

    def _parsed(self, response: httpx.Response, path: str, kind: type[Reply]) -> Reply:
        if response.is_success:
            try:
                return kind.model_validate_json(response.content)
            except ValidationError as error:
                raise self.broken(path, reason(error)[:LONGEST_SENTENCE]) from None
        sentence = _sentence(response)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            advice = "this client's is another" if self._token else "this client was given none"
            raise RequestError(
                f"{self._url}: {sentence}; {advice}: pass the service's GEMEL_SERVICE_TOKEN as Client(token=…)"
            )
        if response.is_client_error:
            raise RequestError(sentence)
        raise GemelError(f"{self._url}{path}: status {response.status_code}: {sentence}")


def _sentence(response: httpx.Response) -> str:
    try:
        return ErrorReply.model_validate_json(response.content).error
    except ValidationError:
        return f"status {response.status_code}, {response.text[:LONGEST_SENTENCE]!r}"


def _wait(response: httpx.Response) -> int:
    """Seconds that a busy service asks for; one where it doesn't say."""
    try:
        return min(max(int(response.headers["retry-after"]), 0), LONGEST_WAIT)
    except (KeyError, ValueError):
        return 1
