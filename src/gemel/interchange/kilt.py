"""KILT's entity linking: a line for each mention, which stands between two marks in its text.

Keys as in https://github.com/facebookresearch/KILT: id, input, output with one answer and its provenance, meta. The
answer is the best candidate's title; the provenance has all candidates, best first, as KILT ranks pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.core.errors import DataError
from gemel.core.schema import Candidate
from gemel.interchange.rows import LinkedMention, Place
from gemel.interchange.uris import wikipedia_title
from gemel.posts.source_lines import text_lines

START, END = "[START_ENT]", "[END_ENT]"
HAS_MARKS = f"the text itself holds {START} or {END}"


@dataclass(frozen=True)
class Page:
    """An entity's page in KILT's Wikipedia."""

    wikipedia_id: str
    title: str


def read_pages(path: Path) -> dict[str, Page]:
    """Read pages by entity id: lines of entity id, page id and title, between tabs.

    Raises: DataError, naming the line, if it has other columns or the page id is no number.
    """
    pages = {}
    for number, line in text_lines(path):
        cells = line.rstrip("\n").split("\t")
        if len(cells) != 3 or not cells[1].isdecimal():
            raise DataError(f"{path} line {number}: expected entity id, page id and title between tabs, found {line!r}")
        pages[cells[0]] = Page(cells[1], cells[2])
    return pages


def kilt_rows(mentions: Iterable[LinkedMention], pages: Mapping[str, Page]) -> Iterator[dict[str, Any]]:
    """The lines of links that have a place and no marks in their text.

    pages: of entities, by id. An entity without one has the wikipedia_id null, and its name for a title.
    """
    for each in mentions:
        if each.place is not None and not has_marks(each):
            answers = [_provenance(candidate, pages) for candidate in each.candidates]
            yield {
                "id": f"{each.post.post_id}:{each.row}",
                "input": _marked(each.post.text, each.place),
                "output": [{"answer": answers[0]["title"], "provenance": answers}],
                "meta": _meta(each, each.place),
            }


def has_marks(mention: LinkedMention) -> bool:
    """Whether the text holds one of the marks itself, so that a reader would take it for the mention's."""
    return START in mention.post.text or END in mention.post.text


def _marked(text: str, place: Place) -> str:
    return f"{text[: place.start]}{START} {text[place.start : place.end]} {END}{text[place.end :]}"


def _provenance(candidate: Candidate, pages: Mapping[str, Page]) -> dict[str, Any]:
    page = pages.get(candidate.entity_id)
    title = wikipedia_title(candidate.entity_id)
    return {
        "wikipedia_id": page.wikipedia_id if page else None,
        "title": page.title if page else title[1] if title else candidate.name,
        "meta": {"entity_id": candidate.entity_id, "score": candidate.score, "probability": candidate.probability},
    }


def _meta(each: LinkedMention, place: Place) -> dict[str, Any]:
    return {
        "left_context": each.post.text[: place.start],
        "mention": each.mention,
        "right_context": each.post.text[place.end :],
        "post_id": each.post.post_id,
        "image": each.image,
    }
