"""Import of WikiMEL and Richpedia-MEL, in either of their public formats, into the project's own.

MELBench has one JSON object of posts, id -> {id, sentence, mentions, entities, answer}: lists in WikiMEL, single values
in Richpedia-MEL. The lists of GHMFC and MIMIC have one object a mention, {id, sentence, mentions, entities, answer,
imgPath}, whose id is its post's id, "-" and a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from gemel.core.errors import DataError
from gemel.core.schema import Split
from gemel.posts.importing import ImportReport, import_source
from gemel.posts.sources import (
    Entry,
    Format,
    Fragment,
    ImagePath,
    Notes,
    Qid,
    SourceFile,
    SourceMention,
    Text,
    inside_images,
    read_json,
    validated,
)

NUMBERED = re.compile(r"(.+)-\d+")


class _PostEntry(Entry):
    id: Text
    sentence: Text
    mentions: list[Text]
    entities: list[Text]
    answer: list[Qid]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _RichpediaEntry(_PostEntry):
    mentions: Annotated[list[Text], BeforeValidator(_listed)]
    entities: Annotated[list[Text], BeforeValidator(_listed)]
    answer: Annotated[list[Qid], BeforeValidator(_listed)]


class _MentionEntry(Entry):
    id: Text
    sentence: Text
    mentions: Text
    entities: Text
    answer: Qid
    imgPath: ImagePath | None = None  # noqa: N815 - the format's own key


def import_wikimel(source: Path, target: Path, images: Path | None) -> ImportReport:
    """Write a WikiMEL source as a data set; as import_source.

    source: one JSON file, or a folder with `*_train.json`, `*_dev.json` and `*_test.json`.
    """
    return import_source(WIKIMEL, source, target, images)


def import_richpedia(source: Path, target: Path, images: Path | None) -> ImportReport:
    """Write a Richpedia-MEL source as a data set; as import_source.

    source: as of WikiMEL. A post of MELBench's object has the image ID.jpg, as in the list of images that GHMFC
    publishes.
    """
    return import_source(RICHPEDIA, source, target, images)


def _read_wikimel(files: Sequence[SourceFile], _: Notes) -> Iterator[Fragment]:
    return (fragment for file in files for fragment in _read_file(file, _PostEntry, image_ending=None))


def _read_richpedia(files: Sequence[SourceFile], _: Notes) -> Iterator[Fragment]:
    return (fragment for file in files for fragment in _read_file(file, _RichpediaEntry, image_ending=".jpg"))


def _read_file(file: SourceFile, post_type: type[_PostEntry], image_ending: str | None) -> Iterator[Fragment]:
    """Read one file of either format.

    image_ending: of the image that bears its post's id; None if there is none.
    Raises: DataError, naming the file and the entry, if it isn't JSON or breaks the format.
    """
    content = read_json(file.path)
    if isinstance(content, dict):
        for key, entry in content.items():
            where = f"{file.path}: entry {key!r}"
            yield _post(where, key, validated(post_type, where, entry), file.split, image_ending)
    elif isinstance(content, list):
        for index, entry in enumerate(content, start=1):
            where = f"{file.path}: entry {index}"
            yield _mention(where, validated(_MentionEntry, where, entry), file.split)
    else:
        found = type(content).__name__
        raise DataError(f"{file.path}: expected an object of posts or a list of mentions, found {found}")


def _post(where: str, key: str, entry: _PostEntry, split: Split | None, image_ending: str | None) -> Fragment:
    if entry.id != key:
        raise DataError(f"{where}: its id is {entry.id!r}, but it stands under {key!r}")
    counts = {"mentions": len(entry.mentions), "entities": len(entry.entities), "answer": len(entry.answer)}
    if len(set(counts.values())) > 1:
        raise DataError(f"{where}: mentions, entities and answer must be of one length, found {counts}")
    image = None if image_ending is None else inside_images(f"{key}{image_ending}", where)
    rows = zip(entry.mentions, entry.entities, entry.answer, strict=True)
    mentions = (SourceMention(f"{key}-{index}", *row) for index, row in enumerate(rows))
    return Fragment(where, key, entry.sentence, image, split, tuple(mentions))


def _mention(where: str, entry: _MentionEntry, split: Split | None) -> Fragment:
    numbered = NUMBERED.fullmatch(entry.id)
    mention = SourceMention(entry.id, entry.mentions, entry.entities, entry.answer)
    group = numbered[1] if numbered else entry.id
    return Fragment(f"{where} (id {entry.id!r})", group, entry.sentence, entry.imgPath, split, (mention,))


WIKIMEL = Format(
    title="WikiMEL JSON",
    endings=(".json",),
    about="WikiMEL (Wang et al., SIGIR 2022): texts of Wikipedia and Wikimedia Commons, entities of Wikidata",
    licence="texts: MIT (MELBench); images: each has its own",
    read=_read_wikimel,
)
RICHPEDIA = Format(
    title="Richpedia-MEL JSON",
    endings=(".json",),
    about="Richpedia-MEL (Wang et al., SIGIR 2022): texts of Wikipedia, entities of Wikidata",
    licence="texts: MIT (MELBench); images: each has its own",
    read=_read_richpedia,
)
