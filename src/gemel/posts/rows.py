"""The lines of a data set's files: what each must hold, and what becomes of a line that doesn't."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from gemel.core.errors import DataError
from gemel.core.schema import Split

# A rejected row is kept for a person to look at; a line of many megabytes would only bloat the table.
LONGEST_ROW = 10_000
LONGEST_VALUE = 80
Item = TypeVar("Item")


def _filled(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("empty", "is empty")
    return text


# The pattern is for the JSON Schema alone; the validator has the better words.
Filled = Annotated[str, AfterValidator(_filled), Field(json_schema_extra={"pattern": r"\S"})]


class Line(BaseModel):
    """A row with an id. Types aren't coerced; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")
    id: Filled


class PostLine(Line):
    """A line of posts.jsonl; its mentions are checked one by one, as MentionLine."""

    text: Filled
    split: Split
    mentions: list[Any]
    image: Filled | None = None
    caption: str | None = None


class MentionLine(Line):
    """An entry of a post's mentions. start, end: character offsets, both or neither. entity: None for NIL."""

    mention: Filled
    entity: Filled | None
    start: int | None = None
    end: int | None = None


class EntityLine(Line):
    """A line of entities.jsonl.

    title: of its Wikipedia article. year: of its beginning, negative before Christ. language: of label, aliases and
    description, as in "en".
    """

    label: Filled
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


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that broke the format. line: counted from 1. row: its content, cut if very long."""

    source: str
    line: int
    row: str
    reason: str


@dataclass
class Rows(Generic[Item]):
    """Rows of one source: those kept, those rejected, and where each id was met first."""

    source: str
    kept: list[Item] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    read: int = 0
    first_lines: dict[str, int] = field(default_factory=dict)

    def reject(self, line: int, row: str, reason: str) -> None:
        """Keep a row that can't be used, with the reason."""
        cut = row if len(row) <= LONGEST_ROW else f"{row[:LONGEST_ROW]}… ({len(row)} characters)"
        self.rejected.append(RejectedRow(self.source, line, cut, reason))

    def claim(self, row_id: str, line: int) -> None:
        """Take an id for the row of this line. Raises: ValueError if an earlier row has it."""
        if row_id in self.first_lines:
            raise ValueError(f"duplicate id {row_id!r}, first on line {self.first_lines[row_id]}")
        self.first_lines[row_id] = line

    def check_sum(self) -> None:
        """Hold the promise that no row disappears. Raises: DataError if one did, which is a fault of this code."""
        if self.read != len(self.kept) + len(self.rejected):
            raise DataError(
                f"{self.source}: {self.read} rows read, but {len(self.kept)} kept and {len(self.rejected)} rejected; "
                "please report this as a bug of gemel"
            )


def read_rows(path: Path, line_type: type[AnyLine]) -> Rows[tuple[int, AnyLine]]:
    """Read a JSON lines file into (line number, row); blank lines are no rows.

    Raises: DataError if the file is missing or can't be read.
    """
    rows: Rows[tuple[int, AnyLine]] = Rows(path.name)
    for number, raw in _lines(path):
        rows.read += 1
        try:
            row = line_type.model_validate_json(raw)
            rows.claim(row.id, number)
        except ValidationError as error:
            rows.reject(number, _shown(raw), reason(error))
        except ValueError as error:
            rows.reject(number, _shown(raw), str(error))
        else:
            rows.kept.append((number, row))
    return rows


def reason(error: ValidationError) -> str:
    """Say in one line what a row breaks: the key, the rule, what was found."""
    return "; ".join(
        f"{'.'.join(map(str, issue['loc'])) or 'row'}: {issue['msg']}{_found(issue['type'], issue['input'])}"
        for issue in error.errors(include_url=False)
    )


def _found(kind: str, value: object) -> str:
    if kind in ("missing", "json_invalid"):
        return ""
    shown = json.dumps(value, ensure_ascii=False, default=repr)
    return f", found {shown if len(shown) <= LONGEST_VALUE else shown[:LONGEST_VALUE] + '…'}"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = raw.removeprefix(b"\xef\xbb\xbf").strip()
                if line:
                    yield number, line
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; a data set has posts.jsonl, entities.jsonl and dataset.json") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")
