"""The state of changed entities: `entities.jsonl` in a data set's folder of changes, one changed entity a line.

A line says how an entity differs from the data set, not what was done when: what is undone leaves no line.

{"id": "Q1", "name": "…", "label": "…", …}   added: a line as a data set's entities.jsonl has it
{"id": "Q1", "name": "…"}                    renamed
{"id": "Q1", "removed": true}                removed
{"id": "Q1", "redirect": "Q2"}               merged into Q2
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, ValidationError

from gemel.core.errors import DataError
from gemel.core.schema import Entity
from gemel.entities.changed import EntityChange
from gemel.posts.rows import EntityLine, Words, reason
from gemel.posts.source_lines import text_lines

ENTITIES = "entities.jsonl"
_ADVICE = "correct the line, or take the file back with `dvc checkout data.dvc`"


class ChangeLine(EntityLine):
    """A line of the changes; a whole entity has a label."""

    model_config = ConfigDict(extra="forbid")
    label: Words | None = None  # type: ignore[assignment]
    removed: Literal[True] | None = None
    redirect: Words | None = None


def read_entity_changes(folder: Path) -> tuple[EntityChange, ...]:
    """Read the changes of a folder, in the order of its file; none if there is no such file.

    Raises: DataError, naming the file and the line, if a line says no change, or an id has a second line.
    """
    path = folder / ENTITIES
    if not path.is_file():
        return ()
    changes: dict[str, EntityChange] = {}
    for number, text in text_lines(path):
        try:
            change = _change(ChangeLine.model_validate_json(text))
        except ValidationError as error:
            raise DataError(f"{path} line {number}: {reason(error)}; {_ADVICE}") from error
        except ValueError as error:
            raise DataError(f"{path} line {number}: {error}; {_ADVICE}") from None
        if change.entity_id in changes:
            raise DataError(f"{path} line {number}: a second line of {change.entity_id!r}; {_ADVICE}")
        changes[change.entity_id] = change
    return tuple(changes.values())


def write_entity_changes(folder: Path, changes: Iterable[EntityChange]) -> None:
    """Write changes in the order of the ids, so that equal ones give equal bytes; no file where there are none."""
    ordered = sorted(changes, key=lambda change: change.entity_id)
    if ordered:
        with (folder / ENTITIES).open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(_row(change), ensure_ascii=False) + "\n" for change in ordered)
    else:
        (folder / ENTITIES).unlink(missing_ok=True)


def entity_of(line: EntityLine) -> Entity:
    """The entity that a line describes; its name is empty where the line has none."""
    return Entity(
        entity_id=line.id,
        name=line.name or "",
        label=line.label or "",
        description=line.description or "",
        entity_type=line.type or "",
        aliases=tuple(line.aliases or ()),
        popularity=line.popularity or 0.0,
        title=line.title or "",
        year=line.year,
        language=line.language or "",
    )


def _change(line: ChangeLine) -> EntityChange:
    """Raises: ValueError if the line says no change, or several."""
    stated = line.model_fields_set - {"id"}
    if stated == {"removed"}:
        return EntityChange(line.id, removed=True)
    if stated == {"redirect"} and line.redirect != line.id:
        return EntityChange(line.id, redirect=line.redirect)
    if stated == {"name"} and line.name:
        return EntityChange(line.id, name=line.name)
    if line.label and line.name and not stated & {"removed", "redirect"}:
        return EntityChange(line.id, added=entity_of(line))
    raise ValueError(
        "expected a whole entity with name and label, or one of name, removed and redirect alone, "
        f"found {sorted(stated)}"
    )


def _row(change: EntityChange) -> dict[str, Any]:
    if change.removed:
        return {"id": change.entity_id, "removed": True}
    if change.redirect is not None:
        return {"id": change.entity_id, "redirect": change.redirect}
    entity = change.added
    if entity is None:
        return {"id": change.entity_id, "name": change.name}
    row = {
        "id": entity.entity_id,
        "name": entity.name,
        "label": entity.label or entity.name,
        "description": entity.description,
        "type": entity.entity_type,
        "aliases": list(entity.aliases),
        "popularity": entity.popularity,
        "title": entity.title,
        "year": entity.year,
        "language": entity.language,
    }
    return {key: value for key, value in row.items() if value or key == "id"}
