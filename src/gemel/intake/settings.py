"""The settings of an intake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gemel.core.image_root import SECRET

# Of a source, the name that corrections of the service have.
FEEDBACK_SOURCE = "feedback"
NAME = re.compile(r"[^\W_][\w.-]*")
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceSettings(_Section):
    """A DVC repository that posts are fetched from. url: a folder or what git clones. path: of a folder in it with
    posts.jsonl. rev: any git revision; None: the default branch, or of a local folder the files as they lie there.
    """

    url: str
    path: str
    rev: str | None = None

    @field_validator("url")
    @classmethod
    def _without_secret(cls, url: str) -> str:
        if SECRET.search(url):
            raise ValueError("holds a password or a query; give credentials by git's or DVC's own configuration")
        return url


class CapSettings(_Section):
    """How much may come in.

    rows, entities: of one source in one run; the rest waits for the next. share: of all training mentions that one
    source may have; the rest waits. per_entity: training mentions that one source may have of one entity; more are
    quarantined. text: characters of a post; mentions: of a post; more are quarantined.
    batch_bytes, batch_files, line_bytes: of a batch in the drop folder, and of its JSON lines, which are held in
    memory; a larger one is refused.
    """

    rows: Count = 5_000
    entities: Count = 1_000
    share: Share = 0.25
    per_entity: Count = 50
    text: Count = 20_000
    mentions: Count = 200
    batch_bytes: Count = 20 * 2**30
    batch_files: Count = 1_000_000
    line_bytes: Count = 2**30


class SuspicionSettings(_Section):
    """What makes a row suspicious.

    watched: sources that anybody can write to; only their rows are looked at by all rules below.
    burst_count, burst_seconds: so many corrections of one mention string to one entity within this time are a burst.
    known: posts of a mention string that must be known before the linker, or the types of its entities, speak against
    a row. alike: share of common letter triples from which two texts are one with small edits; most_alike: how many
    of these may come in.
    """

    watched: tuple[str, ...] = (FEEDBACK_SOURCE,)
    burst_count: Count = 5
    burst_seconds: Annotated[float, Field(gt=0)] = 3_600
    known: Count = 3
    alike: Share = 0.6
    most_alike: Count = 2


class IntakeSettings(_Section):
    """What comes in, and from where.

    drop: the drop folder; None: .gemel/drop, which may be absent. feedback: the service's folder of corrections; None:
    .gemel/feedback. Both are relative to the project's root. sources: DVC repositories to fetch from, by the name
    that their rows get. settle_seconds: a batch without batch.json is taken when it was left alone for so long.
    dev_share: of the new posts that state no split, those that go to dev; corrections never do. keep_done: whether
    batches that came in are moved to .done in the drop folder, or deleted.
    """

    drop: Path | None = None
    feedback: Path | None = None
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    settle_seconds: Annotated[float, Field(ge=0)] = 60
    dev_share: Share = 0
    keep_done: bool = True
    caps: CapSettings = CapSettings()
    suspicion: SuspicionSettings = SuspicionSettings()

    @field_validator("sources")
    @classmethod
    def _named(cls, sources: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        for name in sources:
            if fault := name_fault(name):
                raise ValueError(f"source {name!r}: {fault}")
        return sources


def name_fault(source: str) -> str | None:
    """Why a source can't have this name; None if it can."""
    if source == FEEDBACK_SOURCE:
        return "the name is that of the service's corrections; take another"
    if not NAME.fullmatch(source):
        return "a name has letters, digits, '.', '-' and '_', and begins with a letter or digit; rename it"
    return None
