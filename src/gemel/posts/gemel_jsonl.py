"""Import of the JSON lines that the GEMEL reference code reads, into the project's own format.

One line a mention: {mention, text, target, golden, img_url, qid, sent_id}, with img_name in place of img_url in the
files made of WikiMEL. The lines of one sent_id are one post. A golden "NIL" is a mention of no entity, as is a qid of
none. The reference keeps the image vectors in an HDF5 file beside them, under the line's img_name or img_url.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from gemel.core.errors import DataError
from gemel.posts.importing import ImportReport, import_source
from gemel.posts.sources import (
    Encodable,
    Entry,
    Format,
    Fragment,
    ImagePath,
    Notes,
    SourceFile,
    SourceMention,
    Text,
    is_nil,
    read_json_lines,
    validated,
)
from gemel.posts.vector_file import VectorFile
from gemel.posts.wikidiverse_urls import image_files, image_of

NIL = "nil_mentions"
REFERENCE_NIL = "NIL"
QID = re.compile(r"Q[0-9]+")


class _Line(Entry):
    """target: the name that the LLM learns to write; golden: the one that it is graded by, the same if absent."""

    mention: Text
    text: Text
    target: Encodable | None = None
    golden: Encodable | None = None
    img_name: ImagePath | None = None
    img_url: Encodable | None = None
    qid: Encodable | None
    sent_id: int | Text


def import_gemel_jsonl(
    source: Path, target: Path, images: Path | None, vectors: VectorFile | None = None
) -> ImportReport:
    """Write the reference's JSON lines as a data set; as import_source.

    source: one file, or a folder with `*_train.jsonl` and, if they are there, `*_dev.jsonl` and `*_test.jsonl`, or
    train.json and so on, as the reference calls them.
    images: WikiDiverse's folder `wikinewsImgs`, whose files are found as those of WikiDiverse are, or the folder that
    img_name is relative to.
    An entity's label is the first target or, if the target is empty, golden; other names of it are aliases.
    The report's notes: mentions of no entity (NIL).
    """
    return import_source(GEMEL_JSONL, source, target, images, vectors)


def _read(files: Sequence[SourceFile], notes: Notes) -> Iterator[Fragment]:
    numbers: Counter[str] = Counter()
    for file in files:
        for where, content in read_json_lines(file.path):
            line = validated(_Line, where, content)
            group = str(line.sent_id)
            mention = _mention(where, f"{group}-{numbers[group]}", line)
            numbers[group] += 1
            notes[NIL] += mention.entity_id is None
            image, key = line.img_name or image_of(line.img_url, where), line.img_name or line.img_url
            yield Fragment(where, group, line.text, image, file.split, (mention,), vector_key=key)


def _mention(where: str, mention_id: str, line: _Line) -> SourceMention:
    if line.qid is None or is_nil(line.qid) or line.golden == REFERENCE_NIL:
        return SourceMention(mention_id, line.mention, "", None)
    if not QID.fullmatch(line.qid):
        raise DataError(f"{where}: qid: expected Q and a number, or nil, found {line.qid!r}")
    names = [name for name in (line.target, line.golden) if name and name.strip()]
    if not names:
        raise DataError(f"{where}: the entity {line.qid!r} has no name; expected one in target or golden")
    return SourceMention(mention_id, line.mention, names[0], line.qid, also=tuple(names[1:]))


GEMEL_JSONL = Format(
    title="GEMEL JSON-lines",
    endings=(".jsonl", ".json"),
    about="JSON lines of the GEMEL reference code (Shi et al., LREC-COLING 2024)",
    licence="that of the data set which the lines were made from",
    read=_read,
    notes=(NIL,),
    splits=("train",),
    image_files=image_files,
)
