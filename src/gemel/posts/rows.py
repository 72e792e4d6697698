"""The lines of a data set's files: what each must hold, and what becomes of a line that doesn't."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from gemel.core.errors import DataError
from gemel.core.image_files import with_slashes
from gemel.core.schema import Split
from gemel.posts.columns import REJECTED_SCHEMA, Columns
from gemel.posts.source_lines import WHITE_SPACE, all_lines

# Characters. A rejected row is kept for a person to look at; a line of many megabytes would only bloat the table.
LONGEST_ROW, LONGEST_REASON = 10_000, 1_000
LONGEST_VALUE = 80
WANTED = "a data set has posts.jsonl, entities.jsonl and dataset.json"
KEY_END = re.compile(r'"[ \t\r\n]*:')


def _filled(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("empty", "is empty")
    return text


def _words(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("null", "holds a NUL character (U+0000); remove it")
    return _filled(text)


# The patterns are for the JSON Schema alone; the validators have the better words.
Filled = Annotated[str, AfterValidator(_filled), Field(json_schema_extra={"pattern": r"\S"})]
Words = Annotated[str, AfterValidator(_words), Field(json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"})]


class Line(BaseModel):
    """A row with an id. Types aren't coerced; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")
    id: Words

    def keys_read(self) -> int:
        """How many keys the row has, as far as they are known, with those of the objects in it."""
        return len(self.model_fields_set)


class PostLine(Line):
    """A line of posts.jsonl; its mentions are checked one by one, as MentionLine.

    image: path relative to the data set's folder; with / between its parts, whatever the line has.
    """

    text: Words
    split: Split
    mentions: list[Any]
    image: Annotated[Filled, AfterValidator(with_slashes)] | None = None
    caption: str | None = None
    topic: str | None = None

    def keys_read(self) -> int:
        return super().keys_read() + sum(len(entry) for entry in self.mentions if isinstance(entry, dict))


class MentionLine(Line):
    """An entry of a post's mentions. start, end: character offsets, both or neither. entity: None for NIL."""

    mention: Words
    entity: Words | None
    start: int | None = None
    end: int | None = None


class EntityLine(Line):
    """A line of entities.jsonl.

    title: of its Wikipedia article. year: of its beginning, negative before Christ. language: of label, aliases and
    description, as in "en".
    """

    label: Words
    name: str | None = None
    description: str | None = None
    type: str | None = None
    aliases: list[str] | None = None
    popularity: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    title: str | None = None
    year: int | None = None
    language: str | None = None


class _WholePostLine(PostLine):
    """A line of posts.jsonl with its mentions."""

    mentions: list[MentionLine]


AnyLine = TypeVar("AnyLine", bound=Line)


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (2020-12) of a line of each file of a data set, by the file's name.

    A schema can't say that ids are unique, that start and end hold the mention, or that both are there or neither.
    """
    lines: dict[str, type[Line]] = {"posts.jsonl": _WholePostLine, "entities.jsonl": EntityLine}
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: dialect | line.model_json_schema() | {"title": f"a line of {name}"} for name, line in lines.items()}


@dataclass
class Rows:
    """The rows of one source: how many were read, those rejected, and where each id was met first."""

    source: str
    read: int = 0
    rejected: Columns = field(default_factory=lambda: Columns(REJECTED_SCHEMA))
    first_lines: dict[str, int] = field(default_factory=dict)

    def reject(self, line: int, row: str, reason: str) -> None:
        """Keep a row that can't be used, with the reason; line: counted from 1."""
        self.rejected.append(self.source, line, _cut(row, LONGEST_ROW), _cut(reason, LONGEST_REASON))

    def claim(self, row_id: str, line: int) -> None:
        """Take an id for the row of this line. Raises: ValueError if an earlier row has it."""
        if row_id in self.first_lines:
            raise ValueError(f"duplicate id {row_id!r}, first on line {self.first_lines[row_id]}")
        self.first_lines[row_id] = line

    def check_sum(self, kept: int) -> None:
        """Hold the promise that no row disappears. Raises: DataError if one did, which is a fault of this code."""
        if self.read != kept + len(self.rejected):
            raise DataError(
                f"{self.source}: {self.read} rows read, but {kept} kept and {len(self.rejected)} rejected; "
                "please report this as a bug of gemel"
            )


def read_rows(path: Path, line_type: type[AnyLine], rows: Rows) -> Iterator[tuple[int, AnyLine]]:
    """Read the good rows of a JSON-lines file with their line numbers, one at a time; blank lines are no rows.

    rows: counts all rows and takes those that can't be used.
    Raises: DataError if the file is missing or can't be read.
    """
    for line in all_lines(path, wanted=WANTED):
        text = line.text.strip(WHITE_SPACE)
        if not text:
            continue
        rows.read += 1
        try:
            if line.broken is not None:
                raise ValueError(f"row: {line.broken}")
            row = _parsed(text, line_type)
            rows.claim(row.id, line.number)
        except ValueError as error:
            why = reason(error) if isinstance(error, ValidationError) else str(error)
            rows.reject(line.number, text, why)
        else:
            yield line.number, row


class RepeatedKeyError(ValueError):
    """A key occurs twice in one object of a JSON text."""


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values, as a hook of json.loads. Raises: RepeatedKeyError."""
    entry = dict(pairs)
    if len(entry) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RepeatedKeyError(f"the key {twice!r} occurs twice in one object, one of the two would be lost")
    return entry


def _parsed(text: str, line_type: type[AnyLine]) -> AnyLine:
    """Raises: ValidationError if the text isn't such a row; RepeatedKeyError."""
    row = line_type.model_validate_json(text)
    # A key ends with a quotation mark and a colon. Texts may hold these too, so only more of them than keys that are
    # accounted for call for the slow way.
    if len(KEY_END.findall(text)) > row.keys_read():
        json.loads(text, object_pairs_hook=without_repeats)
    return row


def reason(error: ValidationError) -> str:
    """Say in one line what a row breaks: the key, the rule, what was found."""
    return "; ".join(
        f"{'.'.join(map(str, issue['loc'])) or 'row'}: {issue['msg']}{_found(issue)}"
        for issue in error.errors(include_url=False)
    )


def _found(issue: ErrorDetails) -> str:
    if issue["type"] == "json_invalid":
        return " (half a character, a lone surrogate)" if "hex escape" in issue["msg"] else ""
    if issue["type"] == "missing":
        return ""
    shown = json.dumps(issue["input"], ensure_ascii=False, default=repr)
    return f", found {shown if len(shown) <= LONGEST_VALUE else shown[:LONGEST_VALUE] + '…'}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
