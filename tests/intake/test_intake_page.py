"""The page of the intake has its settings with their defaults, and its rules."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from documents import DOCS, tables
from pydantic import BaseModel

from gemel.intake.candidates import FINAL, Rule
from gemel.intake.settings import IntakeSettings

PAGE = DOCS / "intake.md"


def rows_of(first: str) -> list[tuple[str, ...]]:
    return [row for table in tables(PAGE) if table.header[0] == first for row in table.rows]


def defaults(settings: BaseModel, above: str) -> Iterator[tuple[str, Any]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from defaults(value, f"{above}.{name}")
        else:
            yield f"{above}.{name}", list(value) if isinstance(value, tuple) else value


def test_settings_on_the_page_are_those_of_the_code() -> None:
    stated = {row[0].strip("`"): yaml.safe_load(row[1].strip("`")) for row in rows_of("setting")}
    assert stated == dict(defaults(IntakeSettings(), "intake"))


def test_rules_on_the_page_are_those_of_the_code() -> None:
    stated = {row[0].strip("`"): row[2] for row in rows_of("rule")}
    assert stated == {rule: "rejected" if rule in FINAL else "quarantine" for rule in get_args(Rule)}


def test_page_is_in_the_navigation() -> None:
    assert "intake.md" in (Path(DOCS).parent / "mkdocs.yml").read_text()
