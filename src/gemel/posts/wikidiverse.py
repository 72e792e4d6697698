"""Import of WikiDiverse, as annotated or with candidates, into the project's own format.

The annotated files have one list a post, [text, image URL, topic, mentions], each mention being [mention, type, start,
end, Wikipedia URL]. The files `*_w_10cands.json` have one list a mention, [text, image URL, mention, type, words
before, words after, Wikipedia URL, candidates, topic, start, end]; those of one text and image become one post here.
Types, the words around and the candidates are left out, the latter counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from gemel.core.errors import DataError
from gemel.posts.importing import ImportReport, import_source
from gemel.posts.sources import (
    Encodable,
    Entry,
    Format,
    Fragment,
    Notes,
    SourceFile,
    SourceMention,
    Text,
    is_nil,
    read_json,
    validated,
)
from gemel.posts.wikidiverse_urls import image_files, image_of, page_of

POST = ("text", "image_url", "topic", "mentions")
MENTION = ("mention", "type", "start", "end", "entity_url")
MENTION_OF_POST = (
    *("text", "image_url", "mention", "type", "before", "after", "entity_url"),
    *("candidates", "topic", "start", "end"),
)
NIL, OFFSETS, URLS, CANDIDATES = "nil_mentions", "dropped_offsets", "odd_entity_urls", "ignored_candidates"


class _PostEntry(Entry):
    text: Text
    image_url: Encodable | None
    topic: Encodable | None = None


class _MentionEntry(Entry):
    mention: Text
    start: int | None
    end: int | None
    entity_url: Encodable | None
    candidates: list[Any] = Field(default_factory=list)


class _AnnotatedEntry(_PostEntry):
    mentions: list[Any]


class _MentionOfPostEntry(_PostEntry, _MentionEntry):
    pass


def import_wikidiverse(source: Path, target: Path, images: Path | None) -> ImportReport:
    """Write a WikiDiverse source as a data set; as import_source.

    source: one JSON file, or a folder with train, valid and test (`train.json` or `train_w_10cands.json`).
    images: the data set's own folder `wikinewsImgs`.
    The report's notes: mentions of no entity (NIL), offsets given that don't hold their mention and were dropped,
    mentions whose entity's URL had to be mended or isn't Wikipedia's, candidates left out.
    """
    return import_source(WIKIDIVERSE, source, target, images)


def _read(files: Sequence[SourceFile], notes: Notes) -> Iterator[Fragment]:
    return (fragment for file in files for fragment in _read_file(file, notes))


def _read_file(file: SourceFile, notes: Notes) -> Iterator[Fragment]:
    content = read_json(file.path)
    if not isinstance(content, list):
        raise DataError(f"{file.path}: expected a list of posts or of mentions, found {type(content).__name__}")
    groups: dict[tuple[str, str | None], str] = {}
    numbers: dict[str, int] = {}
    for index, row in enumerate(content, start=1):
        where = f"{file.path}: entry {index}"
        group = f"{file.split or file.path.stem}-{index}"
        post, entries = _entries(where, row)
        if isinstance(post, _MentionOfPostEntry):
            group = groups.setdefault((post.text, post.image_url), group)
        first = numbers.get(group, 0)
        numbers[group] = first + len(entries)
        mentions = [_mention(where, f"{group}-{n}", entry, post.text, notes) for n, entry in enumerate(entries, first)]
        image = image_of(post.image_url, where)
        yield Fragment(where, group, post.text, image, file.split, tuple(mentions), post.topic or None)


def _entries(where: str, row: object) -> tuple[_PostEntry, Sequence[_MentionEntry]]:
    """Check a row of either kind of file; gives its post and the mentions."""
    if isinstance(row, list) and len(row) == len(MENTION_OF_POST):
        both = validated(_MentionOfPostEntry, where, _named(where, row, MENTION_OF_POST))
        return both, [both]
    post = validated(_AnnotatedEntry, where, _named(where, row, POST))
    places = ((f"{where}: mention {number}", mention) for number, mention in enumerate(post.mentions, start=1))
    return post, [validated(_MentionEntry, place, _named(place, mention, MENTION)) for place, mention in places]


def _named(where: str, row: object, names: Sequence[str]) -> dict[str, object]:
    if not isinstance(row, list) or len(row) != len(names):
        found = f"{len(row)} values" if isinstance(row, list) else type(row).__name__
        raise DataError(f"{where}: expected a list of {', '.join(names)}; found {found}")
    return dict(zip(names, row, strict=True))


def _mention(where: str, mention_id: str, entry: _MentionEntry, text: str, notes: Notes) -> SourceMention:
    start, end = entry.start, entry.end
    if start is None or end is None or start < 0 or text[start:end] != entry.mention:
        notes[OFFSETS] += (start, end) != (None, None)
        start = end = None
    notes[CANDIDATES] += len(entry.candidates)
    if entry.entity_url is None or is_nil(entry.entity_url):
        notes[NIL] += 1
        return SourceMention(mention_id, entry.mention, "", None, start, end)
    page = page_of(entry.entity_url)
    if page is None:
        raise DataError(f"{where}: the entity of {entry.mention!r} has no title in its URL {entry.entity_url!r}")
    notes[URLS] += page.odd
    return SourceMention(mention_id, entry.mention, page.title, page.entity_id, start, end)


WIKIDIVERSE = Format(
    title="WikiDiverse JSON",
    endings=(".json",),
    about="WikiDiverse (Wang et al., ACL 2022): captions of Wikinews, entities of Wikipedia",
    licence="texts: CC BY-SA 4.0; images: each has its own",
    read=_read,
    notes=(NIL, OFFSETS, URLS, CANDIDATES),
    image_files=image_files,
)
