"""What an intake looks at, and what it says of it."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gemel.core.errors import ImageError
from gemel.core.images import read_bytes

Kind = Literal["post", "entity"]
Rule = Literal[
    "row",
    "split",
    "leak",
    "catalog",
    "id",
    "entity",
    "image",
    "size",
    "picture",
    "contradiction",
    "per_entity",
    "burst",
    "type",
    "alike",
    "sure",
    "refused",
]
# What breaks one of these never comes in, whoever releases it.
FINAL: frozenset[Rule] = frozenset({"row", "split", "leak", "catalog", "image"})
# What breaks one of these comes in when it no longer does; a release looks again.
LASTING: frozenset[Rule] = frozenset({"id", "entity"})
KEY_DIGITS = 16
UNREADABLE = "unreadable"
SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


@dataclass(frozen=True)
class Picture:
    """An image file by its content. size: in bytes."""

    path: Path
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """Its path in a data set's folder."""
        suffix = self.path.suffix.lower()
        return f"images/{self.sha256}{suffix if SUFFIX.fullmatch(suffix) else ''}"


@dataclass(frozen=True)
class Candidate:
    """A row that may come in.

    row: as a line of posts.jsonl or entities.jsonl would have it, its image apart; of a row that can't be read, its
    text under UNREADABLE. line: in its file, from 1. stated: whether a post names its split itself. fault: why its
    image can't be had. said: when it was said, in seconds of the epoch; None where that isn't known.
    """

    kind: Kind
    source: str
    batch: str
    line: int
    row: Mapping[str, Any]
    picture: Picture | None = None
    stated: bool = True
    fault: str | None = None
    said: float | None = None

    @functools.cached_property
    def key(self) -> str:
        """Follows from the source and the content, whatever batch it is in and whatever split it goes to."""
        row = {name: value for name, value in self.row.items() if name != "split"}
        content = [self.kind, self.source, row, self.sha256]
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:KEY_DIGITS]

    @property
    def sha256(self) -> str | None:
        """Of its image; None without one."""
        return None if self.picture is None else self.picture.sha256

    @property
    def id(self) -> str:
        """Of the row; "" where it can't be read."""
        return str(self.row.get("id", ""))

    @functools.cached_property
    def line_content(self) -> dict[str, Any]:
        """The line of the data set that it becomes."""
        image = {} if self.picture is None else {"image": self.picture.name}
        source = {"source": self.source} if self.kind == "post" else {}
        return {**self.row, **image, **source}


@dataclass(frozen=True)
class Finding:
    """Why a row doesn't come in."""

    candidate: Candidate
    rule: Rule
    reason: str

    @property
    def final(self) -> bool:
        """Whether nobody can change that."""
        return self.rule in FINAL


@dataclass(frozen=True)
class Waiting:
    """What is not taken yet. stuck: whether only a person can change that. batch: "" for all of a source."""

    source: str
    batch: str
    reason: str
    stuck: bool = False


@dataclass(frozen=True)
class Found:
    """What one batch holds. broken: rows that can't be read."""

    candidates: tuple[Candidate, ...] = ()
    broken: tuple[Finding, ...] = ()


def picture_of(path: Path) -> tuple[Picture | None, str | None]:
    """An image file by its content, or why it can't be had; it is not decoded yet."""
    try:
        if path.is_symlink():
            raise ImageError(f"{path}: a link, not a file")
        content = read_bytes(path)
        return Picture(path, hashlib.sha256(content).hexdigest(), len(content)), None
    except ImageError as error:
        return None, str(error)
