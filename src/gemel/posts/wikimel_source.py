"""The two public formats of WikiMEL, read into fragments of posts.

MELBench has one JSON object of posts, id -> {id, sentence, mentions[], entities[], answer[]}. The lists of GHMFC and
MIMIC have one object a mention, {id, sentence, mentions, entities, answer, imgPath}, whose id is its post's id, "-" and
a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from gemel.core.errors import DataError
from gemel.core.schema import SPLITS, Split
from gemel.posts.image_check import leaves_folder
from gemel.posts.rows import Filled, reason

NUMBERED = re.compile(r"(.+)-\d+")
SPLIT_IN_NAME = re.compile(r"(?:.*[_.-])?(train|dev|test)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceMention:
    """A mention, with the name and the Wikidata id of its gold entity."""

    mention_id: str
    mention: str
    name: str
    entity_id: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """A post or a part of one. where: file and entry, for errors. split: None where the source states none."""

    where: str
    group: str
    sentence: str
    image: str | None
    split: Split | None
    mentions: tuple[SourceMention, ...]


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("surrogate", "holds half a character (a lone surrogate)") from None
    return text


def _inside(image: str) -> str:
    if leaves_folder(image):
        raise PydanticCustomError("outside", "leaves the folder of images")
    return image


Text = Annotated[Filled, AfterValidator(_encodable)]
Qid = Annotated[str, Field(pattern=r"^Q[0-9]+$")]


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")
    id: Text
    sentence: Text


AnyEntry = TypeVar("AnyEntry", bound=_Entry)


class _PostEntry(_Entry):
    mentions: list[Text]
    entities: list[Text]
    answer: list[Qid]


class _MentionEntry(_Entry):
    mentions: Text
    entities: Text
    answer: Qid
    imgPath: Annotated[Text, AfterValidator(_inside)] | None = None  # noqa: N815 - the format's own key


def source_files(source: Path) -> list[tuple[Path, Split | None]]:
    """The files of a source with the split that their names state.

    source: one file, or a folder with exactly one file `*_train.json`, `*_dev.json` and `*_test.json` each.
    Raises: DataError if there is no such file, or a folder has none or several for a split.
    """
    if source.is_file():
        return [(source, _split_of(source))]
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder; give a WikiMEL JSON file or the folder of its three splits")
    found = sorted(source.glob("*.json"))
    files: list[tuple[Path, Split | None]] = []
    for split in SPLITS:
        matching = [path for path in found if _split_of(path) == split]
        if len(matching) != 1:
            raise DataError(
                f"{source}: expected one file *_{split}.json, found {[path.name for path in matching]} among "
                f"{[path.name for path in found]}; give one file instead if the source has no splits"
            )
        files.append((matching[0], split))
    return files


def read_fragments(path: Path, split: Split | None) -> Iterator[Fragment]:
    """Read one file of either format.

    Raises: DataError, naming the file and the entry, if it isn't JSON or breaks the format.
    """
    content = _read_json(path)
    if isinstance(content, dict):
        for key, entry in content.items():
            yield _read_post(f"{path}: entry {key!r}", key, entry, split)
    elif isinstance(content, list):
        for index, entry in enumerate(content, start=1):
            yield _read_mention(f"{path}: entry {index}", entry, split)
    else:
        raise DataError(f"{path}: expected an object of posts or a list of mentions, found {type(content).__name__}")


def _split_of(path: Path) -> Split | None:
    match = SPLIT_IN_NAME.fullmatch(path.stem)
    return next((split for split in SPLITS if match and match[1].lower() == split), None)


def _read_json(path: Path) -> Any:
    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entry = dict(pairs)
        if len(entry) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"{path}: the key {twice!r} occurs twice in one object, one of the two would be lost")
        return entry

    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error


def _read_post(where: str, key: str, content: object, split: Split | None) -> Fragment:
    entry = _validated(_PostEntry, where, content)
    if entry.id != key:
        raise DataError(f"{where}: its id is {entry.id!r}, but it stands under {key!r}")
    counts = {"mentions": len(entry.mentions), "entities": len(entry.entities), "answer": len(entry.answer)}
    if len(set(counts.values())) > 1:
        raise DataError(f"{where}: mentions, entities and answer must be of one length, found {counts}")
    rows = zip(entry.mentions, entry.entities, entry.answer, strict=True)
    mentions = (SourceMention(f"{key}-{index}", *row) for index, row in enumerate(rows))
    return Fragment(where, key, entry.sentence, None, split, tuple(mentions))


def _read_mention(where: str, content: object, split: Split | None) -> Fragment:
    entry = _validated(_MentionEntry, where, content)
    numbered = NUMBERED.fullmatch(entry.id)
    mention = SourceMention(entry.id, entry.mentions, entry.entities, entry.answer)
    group = numbered[1] if numbered else entry.id
    return Fragment(f"{where} (id {entry.id!r})", group, entry.sentence, entry.imgPath, split, (mention,))


def _validated(entry_type: type[AnyEntry], where: str, content: object) -> AnyEntry:
    try:
        return entry_type.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{where}: {reason(error)}") from None
