"""Import of a knowledge base of the user's own: `entities.jsonl` of a data set, from any of several formats.

Rows are read and written one at a time; what stays in memory is the ids of the kept ones, and the redirects.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gemel.core.drafts import put_in_place
from gemel.core.errors import DataError, RequestError
from gemel.posts.data_folder import data_draft, holds_something, json_line, opened_lines, write_facts
from gemel.posts.dataset import ENTITIES, FACTS, FORMAT, read_facts
from gemel.posts.entity_sources import NAMES, Broken, Filtered, Found, Item, read_json_objects, read_table, read_titles
from gemel.posts.redirects import REDIRECTS, read_redirects, write_redirects
from gemel.posts.rows import LONGEST_ROW, EntityLine, reason
from gemel.posts.source_lines import file_format
from gemel.posts.wikidata import Wanted, read_dump

REJECTED = "entities.rejected.jsonl"
TABLES = {"csv": ",", "tsv": "\t"}
FORMATS = {"jsonl": "JSON lines", "csv": "CSV", "tsv": "TSV", "txt": "a list of titles", "json": "a Wikidata dump"}
CLASSES, UNTYPED = "classes.tsv", "untyped.jsonl"
MOST_SHOWN = 3


@dataclass
class EntitiesReport:
    """What an import read, and what became of it: read = kept + filtered + duplicates + rejected.

    filtered: rows that weren't wanted, by reason. duplicates: rows with the id of an earlier one. rejected: rows that
    can't be used; these and the duplicates are in REJECTED with their reasons, the first ones in `first_rejected` too.
    redirected: kept rows whose id was replaced by its living one. unlabelled_types: kept rows without a type because
    the dump doesn't hold the class they are instances of.
    """

    read: int = 0
    kept: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    rejected: int = 0
    redirects: int = 0
    redirected: int = 0
    unlabelled_types: int = 0
    first_rejected: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """All counts by what they count, in the order to show them."""
        filtered = {f"filtered: {why}": count for why, count in sorted(self.filtered.items())}
        rest = {"duplicate ids": self.duplicates, "rejected": self.rejected, "redirects": self.redirects}
        last = {"ids redirected": self.redirected, "types without a label": self.unlabelled_types}
        return {"read": self.read, "kept": self.kept, **filtered, **rest, **last}


def import_entities(
    source: Path,
    target: Path,
    *,
    prefix: str | None = None,
    types: tuple[str, ...] = (),
    min_sitelinks: int = 0,
    language: str | None = None,
    redirects: Path | None = None,
) -> EntitiesReport:
    """Write a knowledge base as the entities of a data set; the same source always gives the same bytes.

    source: its ending says its format, one of FORMATS, with .gz or .bz2 behind it if compressed.
    target: the data set's folder; its entities are replaced, and kept as they were if the import fails. A folder that
    isn't there is made; posts.jsonl and images/ are then still to come.
    prefix: of the ids that titles get, "enwiki:" unless said. types, min_sitelinks: see Wanted; for a Wikidata dump.
    language: of the names; "en" unless said for a dump, and for titles unless their prefix is given.
    redirects: file of merged ids (see redirects.py), copied beside the entities with its chains resolved.
    Raises: DataError, naming the file and the line, if the source can't be read or no entity is left; RequestError if
    an option doesn't fit the format.
    """
    kind = _check_request(source, prefix, types, min_sitelinks)
    if kind == "json" or (kind == "txt" and prefix is None):
        language = language or "en"
    living = read_redirects(redirects) if redirects else {}
    report = EntitiesReport(redirects=len(living))
    with data_draft(target) as draft:
        facts = read_facts(target) if holds_something(target) else {"name": target.name, "format": FORMAT}
        wanted = Wanted(types, min_sitelinks, language or "en")
        items = _items(source, kind, prefix or f"{language}wiki:", wanted, draft / CLASSES)
        write_entities(items, draft, language, living, report)
        if not report.kept:
            met = ", ".join(f"{what} {count}" for what, count in report.counts().items() if count)
            why = "".join(f"; {row}" for row in report.first_rejected[:1])
            raise DataError(f"{source}: no entity is left ({met or 'it has no rows'}){why}")
        if kind == "json":
            report.unlabelled_types = _name_types(draft)
        if redirects:
            write_redirects(draft / REDIRECTS, living)
        about: dict[str, Any] = {
            "source": source.name,
            "format": FORMATS[kind],
            "language": language,
            **report.counts(),
        }
        if kind == "json":
            about |= {"types": list(types), "min_sitelinks": min_sitelinks, "popularity": "number of sitelinks"}
        facts |= {"entities": report.kept, "knowledge_base": about}
        facts.pop("popularity", None)  # the note of the import that wrote the former entities
        write_facts(draft, facts)
        _move_files(draft, target)
    return report


def _check_request(source: Path, prefix: str | None, types: tuple[str, ...], min_sitelinks: int) -> str:
    kind = file_format(source)
    if kind not in FORMATS:
        known = ", ".join(f".{ending} ({name})" for ending, name in FORMATS.items())
        raise RequestError(f"{source}: its ending says no known format; known are {known}, each also with .gz or .bz2")
    if prefix is not None and kind != "txt":
        raise RequestError(f"{source}: --prefix is for a list of titles (.txt), this is {FORMATS[kind]}")
    if (types or min_sitelinks) and kind != "json":
        raise RequestError(f"{source}: --type and --min-sitelinks are for a Wikidata dump, this is {FORMATS[kind]}")
    return kind


def _items(source: Path, kind: str, prefix: str, wanted: Wanted, classes: Path) -> Iterator[Item]:
    if kind == "json":
        return read_dump(source, wanted, classes)
    if kind == "txt":
        return read_titles(source, prefix)
    return read_table(source, TABLES[kind]) if kind in TABLES else read_json_objects(source)


def write_entities(
    items: Iterator[Item], draft: Path, language: str | None, living: Mapping[str, str], report: EntitiesReport
) -> None:
    """Write the kept rows to ENTITIES and the others, if they weren't filtered, to REJECTED; count all of them.

    language: of rows that state none. living: id -> the one that replaces it.
    """
    first_lines: dict[str, int] = {}
    with opened_lines(draft / ENTITIES) as kept, opened_lines(draft / REJECTED) as rejected:
        for item in items:
            report.read += 1
            if isinstance(item, Filtered):
                report.filtered[item.reason] += 1
                continue
            entity, why = (None, item.reason) if isinstance(item, Broken) else _entity(item, language)
            if entity is not None:
                entity_id = living.get(entity.id, entity.id)
                if entity_id not in first_lines:
                    first_lines[entity_id] = item.line
                    report.kept += 1
                    report.redirected += entity_id != entity.id
                    kept.write(json_line(entity.model_dump(exclude_none=True) | {"id": entity_id}))
                    continue
                report.duplicates += 1
                why = f"duplicate id {entity_id!r}, first on line {first_lines[entity_id]}"
            else:
                report.rejected += 1
            rejected.write(json_line({"line": item.line, "reason": why, "row": item.text[:LONGEST_ROW]}))
            if len(report.first_rejected) < MOST_SHOWN:
                report.first_rejected.append(f"line {item.line}: {why}")


def _entity(found: Found, language: str | None) -> tuple[EntityLine | None, str]:
    """The row as an entity, or why it is none. Without a label, its name or title is it."""
    names = [name for key in NAMES if (name := found.row.get(key)) and (not isinstance(name, str) or name.strip())]
    if not names:
        return None, f"no name: {', '.join(NAMES)} are all empty"
    try:
        entity = EntityLine.model_validate({"language": language, **found.row, "label": names[0]})
    except ValidationError as error:
        return None, reason(error)
    return entity, ""


def _name_types(draft: Path) -> int:
    """Put the label of its class in place of each entity's class id; returns for how many there is none.

    A class may stand anywhere in the dump, so its label is known only at the end.
    """
    (draft / ENTITIES).rename(draft / UNTYPED)
    with (draft / UNTYPED).open(encoding="utf-8") as lines:
        needed = {json.loads(line).get("type") for line in lines}
    with (draft / CLASSES).open(encoding="utf-8") as lines:
        pairs = (line.rstrip("\n").split("\t", 1) for line in lines)
        labels = {class_id: label for class_id, label in pairs if class_id in needed}
    unlabelled = 0
    with (draft / UNTYPED).open(encoding="utf-8") as lines, opened_lines(draft / ENTITIES) as typed:
        for line in lines:
            row = json.loads(line)
            label = labels.get(row.get("type"))
            unlabelled += "type" in row and label is None
            typed.write(json_line({key: label if key == "type" else value for key, value in row.items()}))
    (draft / CLASSES).unlink()
    (draft / UNTYPED).unlink()
    return unlabelled


def _move_files(draft: Path, target: Path) -> None:
    """Make the draft the data set, or move its files into the one that is there; a former import's rejected rows go."""
    if not (draft / REJECTED).stat().st_size:
        (draft / REJECTED).unlink()
        (target / REJECTED).unlink(missing_ok=True)
    if not (target / FACTS).exists():
        put_in_place(draft, target)
        return
    for path in sorted(draft.iterdir()):
        path.replace(target / path.name)
