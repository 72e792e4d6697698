"""What a promotion is about to do, written before it: a killed one is told from none, and finished as it was meant."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from gemel.core.drafts import whole_file
from gemel.registry.pointer import sync_folder

_FILE = "promotion.json"


class Intention(BaseModel):
    """A promotion under way. kind: PROMOTION or ROLLBACK. version: the name of the next champion. counter: highest
    number of a tag before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    version: str
    why: str
    counter: int


def write_intention(releases: Path, intention: Intention) -> None:
    """Keep it; it is on the disk when this returns."""
    with whole_file(releases / _FILE) as draft, draft.open("w", encoding="utf-8") as file:
        file.write(intention.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    sync_folder(releases)


def read_intention(releases: Path) -> Intention | None:
    """The one that was not finished; None if there is none, or it can't be read: then it never began."""
    try:
        return Intention.model_validate_json((releases / _FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def remove_intention(releases: Path) -> None:
    """It is done, or given up."""
    (releases / _FILE).unlink(missing_ok=True)
