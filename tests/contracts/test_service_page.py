"""The page of the service has its settings with their defaults, its routes and its statuses."""

import re

import pytest
from documents import DOCS
from pydantic import ByteSize

from bento.app import app
from bento.settings import ServiceSettings

PAGE = (DOCS / "service.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE.partition("## Settings")[2], flags=re.MULTILINE))


def shown(value: object) -> str:
    if isinstance(value, ByteSize):
        return value.human_readable().replace(".0", "")
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value in (None, ()) else str(value)


def test_every_setting_has_a_row() -> None:
    assert list(ROWS) == list(ServiceSettings.model_fields)


@pytest.mark.parametrize("name", ServiceSettings.model_fields)
def test_default_is_the_one_in_force(name: str) -> None:
    assert ROWS[name].strip() == shown(ServiceSettings.model_fields[name].default)


def test_every_route_is_named() -> None:
    for path in app.openapi()["paths"]:
        assert path.replace("{entity_id}", "ID") in PAGE


def test_every_status_of_the_description_is_explained() -> None:
    for operations in app.openapi()["paths"].values():
        for operation in operations.values():
            for status in operation["responses"]:
                assert status == "200" or f"| {status} |" in PAGE
