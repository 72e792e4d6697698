"""Links in a format that others read, written whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemel.core.drafts import whole_file
from gemel.core.errors import GemelError, RequestError
from gemel.interchange.elevant import elevant_rows
from gemel.interchange.flat import flat_rows
from gemel.interchange.formats import OF_PLACES, Format
from gemel.interchange.kilt import HAS_MARKS, Page, has_marks, kilt_rows
from gemel.interchange.label_studio import LINKS_CONFIG, LOCAL_FILES, link_tasks
from gemel.interchange.rows import LinkedMention, LinkedPosts, placed
from gemel.interchange.uris import DEFAULT_BASE, check_base

NIL = "the answer is that the catalog lacks the entity (NIL)"


@dataclass(frozen=True)
class ExportOptions:
    """base: beginning of the URIs of posts, and of entities without one of their own. pages: of entities, for KILT.

    image_root, image_url: as label_studio.link_tasks takes them.
    """

    base: str = DEFAULT_BASE
    pages: Mapping[str, Page] = field(default_factory=dict)
    image_root: Path = Path()
    image_url: str = LOCAL_FILES


@dataclass(frozen=True)
class ExportReport:
    """What became of the links: all of them = written + left_out.

    left_out: by reason. without_place: of those written, how many have no offsets. refused: rows that are no links.
    """

    written: int
    without_place: int
    left_out: Mapping[str, int]
    refused: int

    def counts(self) -> dict[str, int]:
        """All counts by what they count, in the order to show them."""
        left_out = {f"left out: {reason}": count for reason, count in sorted(self.left_out.items())}
        counts = {"links written": self.written, "of them without offsets": self.without_place}
        return counts | left_out | {"never linked (see the column error)": self.refused}


def export_links(linked: LinkedPosts, to_format: Format, target: Path, options: ExportOptions) -> ExportReport:
    """Write links to a file; beside Label Studio's tasks goes their labeling configuration, see config_path.

    Raises: RequestError if the target's folder does not exist, the base begins no URI, or rdflib is wanted and not
    installed; GemelError if the file can't be written.
    """
    check_base(options.base)
    if not target.parent.is_dir():
        raise RequestError(f"{target}: the folder {target.parent} does not exist; make it first")
    # Only the project's own lines can say that an entity is in no catalog.
    mentions, left_out = linked.mentions, Counter[str]()
    if to_format is Format.JSONL:
        mentions = tuple(sorted((*mentions, *linked.nil), key=lambda each: each.row))
    elif linked.nil:
        left_out[NIL] = len(linked.nil)
    if to_format in OF_PLACES:
        kept = placed(mentions)
        mentions = kept.mentions
        left_out.update(kept.left_out)
    if to_format is Format.KILT:
        left_out.update(HAS_MARKS for each in mentions if has_marks(each))
        mentions = tuple(each for each in mentions if not has_marks(each))
    write_text(target, _WRITERS[to_format](linked, mentions, options))
    if to_format is Format.LABEL_STUDIO:
        write_text(config_path(target), LINKS_CONFIG)
    without_place = sum(each.place is None for each in mentions)
    return ExportReport(len(mentions), without_place, left_out, linked.refused)


def config_path(tasks: Path) -> Path:
    """Where the labeling configuration of a file of tasks lies: tasks.config.xml of tasks.json."""
    return tasks.with_suffix(".config.xml")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises: GemelError if it can't be written.
    """
    try:
        with whole_file(path) as draft:
            draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GemelError(f"{path}: can't be written ({error})") from error


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _tasks(_: LinkedPosts, mentions: Iterable[LinkedMention], options: ExportOptions) -> str:
    tasks = list(link_tasks(mentions, options.image_root, options.image_url))
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def _nif(linked: LinkedPosts, mentions: Iterable[LinkedMention], options: ExportOptions) -> str:
    try:
        from gemel.interchange.nif import nif_turtle
    except ImportError:
        raise RequestError("--format nif needs rdflib; run `pip install 'gemel[nif]'`") from None
    return nif_turtle(linked.posts, mentions, options.base)


_WRITERS: Mapping[Format, Callable[[LinkedPosts, Iterable[LinkedMention], ExportOptions], str]] = {
    Format.KILT: lambda _, mentions, options: _lines(kilt_rows(mentions, options.pages)),
    Format.NIF: _nif,
    Format.ELEVANT: lambda linked, mentions, options: _lines(elevant_rows(linked.posts, mentions, options.base)),
    Format.LABEL_STUDIO: _tasks,
    Format.JSONL: lambda linked, mentions, __: _lines(flat_rows(mentions, frozenset(each.row for each in linked.nil))),
}
