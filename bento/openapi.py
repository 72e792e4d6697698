"""The description of the service, where routes read their bodies themselves."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bento.reading import FORMS, JSON
from gemel.wire import BatchRequest, FeedbackRequest, LinkRequest

BODIES = (LinkRequest, BatchRequest, FeedbackRequest)
_REFERENCE = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    LinkRequest: {
        "text alone": {"value": {"text": "Great shot of the Jaguar this morning", "mentions": ["Jaguar"]}},
        "among two": {
            "value": {
                "text": "Great shot of the Jaguar this morning",
                "mentions": [{"mention": "Jaguar", "start": 18, "end": 24, "candidates": ["Q30055", "Q35694"]}],
                "top_k": 2,
            }
        },
        "mentions found in the text": {"value": {"text": "Great shot of the Jaguar this morning", "explain": True}},
    },
    BatchRequest: {
        "two posts": {
            "value": {
                "posts": [
                    {"text": "Great shot of the Jaguar this morning", "mentions": ["Jaguar"]},
                    {"text": "Mercury at dusk", "mentions": ["Mercury"]},
                ]
            }
        }
    },
    FeedbackRequest: {
        "it is the car maker": {
            "value": {
                "text": "Great shot of the Jaguar this morning",
                "mention": "Jaguar",
                "entity_id": "Q30055",
                "answered": "Q35694",
            }
        }
    },
}
FORM: dict[str, Any] = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {
        "text": _TEXT,
        "mention": {"type": "array", "items": _TEXT},
        "candidate": {"type": "array", "items": _TEXT},
        "type": _TEXT,
        "mentions": _TEXT | {"description": "JSON, in place of mention, candidate and type"},
        "image": {"type": "string", "format": "binary"},
        "image_url": _TEXT,
        "top_k": {"type": "integer", "minimum": 1},
        "explain": {"type": "boolean"},
    },
}


def request_body(model: type[BaseModel], *, form: bool = False) -> dict[str, Any]:
    """What the description says of a route's body. form: whether it may be a form, too."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    content: dict[str, Any] = {JSON: {"schema": schema, "examples": EXAMPLES[model]}}
    if form:
        content[FORMS[0]] = {"schema": FORM}
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI) -> None:
    """Have the description name the messages that routes read themselves."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            bodies = models_json_schema([(model, "validation") for model in BODIES], ref_template=_REFERENCE)[1]
            found.setdefault("components", {}).setdefault("schemas", {}).update(bodies["$defs"])
            # Their place is taken by the services' own sentences.
            for operations in found["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
