"""Titles that are added to the entities which a data set already has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from gemel.posts.data_folder import data_draft, write_facts
from gemel.posts.dataset import ENTITIES, read_facts
from gemel.posts.entities_import import REJECTED, EntitiesReport, write_entities
from gemel.posts.entity_sources import Filtered, Item, title_row
from gemel.posts.rows import EntityLine, Rows, read_rows

LANGUAGE = "en"
PREFIX = f"{LANGUAGE}wiki:"
REJECTED_TITLES = "titles.rejected.jsonl"
THERE = "already there"


def add_titles(target: Path, titles: Iterable[str], about: Mapping[str, Any]) -> EntitiesReport:
    """Add each title that no entity of a data set is called by; the entities that are there stay as they are.

    The new ones are those of a list of titles: the id is PREFIX + title, and also label and title are the title. An
    entity is called by its label, name and title, not by its aliases. Titles that can't be used are in REJECTED_TITLES.
    about: where the titles come from, for dataset.json.
    Returns: what became of the titles; those that are there are filtered.
    Raises: DataError if there is no such data set, or the titles can't be read; the data set is then as it was.
    """
    facts, report = read_facts(target), EntitiesReport()
    lines = [line for _, line in read_rows(target / ENTITIES, EntityLine, Rows(ENTITIES))]
    names = (name for line in lines for name in (line.label, line.name, line.title, _title_of(line.id)) if name)
    taken = {" ".join(name.split()) for name in names}
    with data_draft(target) as draft:
        write_entities(_new(titles, taken), draft, LANGUAGE, {}, report)
        _put_behind(target / ENTITIES, draft / ENTITIES)
        facts |= {"entities": len(lines) + report.kept, "added_titles": dict(about) | report.counts()}
        write_facts(draft, facts)
        (draft / REJECTED).rename(draft / REJECTED_TITLES)
        if not report.duplicates + report.rejected:
            (draft / REJECTED_TITLES).unlink()
            (target / REJECTED_TITLES).unlink(missing_ok=True)
        for path in sorted(draft.iterdir()):
            path.replace(target / path.name)
    return report


def _new(titles: Iterable[str], taken: Set[str]) -> Iterator[Item]:
    for number, title in enumerate(titles, 1):
        yield Filtered(THERE) if title in taken else title_row(number, title, PREFIX)


def _title_of(entity_id: str) -> str:
    """The title that an id of add_titles holds; "" of another id."""
    return entity_id.removeprefix(PREFIX) if entity_id.startswith(PREFIX) else ""


def _put_behind(first: Path, second: Path) -> None:
    """Make the second file the first one, byte by byte, and behind it what the second one was."""
    added = second.read_bytes()
    shutil.copyfile(first, second)
    with second.open("r+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            added = added if file.read(1) == b"\n" else b"\n" + added
        file.write(added)
