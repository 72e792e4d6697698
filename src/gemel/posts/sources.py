"""What the readers of public formats share: their files, their JSON, and the fragments of posts that they give."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from gemel.core.errors import DataError
from gemel.core.image_files import leaves_folder, with_slashes
from gemel.core.schema import SPLITS, Split
from gemel.posts.rows import Filled, RepeatedKeyError, reason, without_repeats
from gemel.posts.source_lines import BYTE_ORDER_MARK, text_lines

# "train", "x-dev", "WIKIMEL_test"; WikiDiverse calls dev "valid" and has "train_w_10cands".
SPLIT_IN_NAME = re.compile(r"(?:.*[_.-])?(train|dev|valid|val|test)(?:_w_\w*cands)?", re.IGNORECASE)
NIL_WORDS = frozenset({"", "nil", "none", "null"})


@dataclass(frozen=True, slots=True)
class SourceMention:
    """A mention with its gold entity.

    name, entity_id: the entity's name and id; an id of None is NIL, and the name is then of no use.
    start, end: character offsets that hold the mention, or both None. also: further names of the entity.
    """

    mention_id: str
    mention: str
    name: str
    entity_id: str | None
    start: int | None = None
    end: int | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fragment:
    """A post or a part of one.

    where: file and entry, for errors. split: None where the source states none. topic: of the post. vector_key: what
    a file of vectors calls the image.
    """

    where: str
    group: str
    sentence: str
    image: str | None
    split: Split | None
    mentions: tuple[SourceMention, ...]
    topic: str | None = None
    vector_key: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a source, with the split that its name states, if any."""

    path: Path
    split: Split | None


# Counts of what a reader gave up or left out, by name.
Notes = dict[str, int]
Reader = Callable[[Sequence[SourceFile], Notes], Iterator[Fragment]]


def _same_file(image: str) -> Iterable[str]:
    return (image, with_slashes(image))


@dataclass(frozen=True)
class Format:
    """What an import must know of a public format.

    title: for errors. endings: of its files, the usual one first. about, licence: for dataset.json. read: its reader.
    notes: names of what the reader counts. splits: those that a folder must have; it may have the others.
    image_files: the files of the images' folder that may hold an image, the likeliest first.
    """

    title: str
    endings: tuple[str, ...]
    about: str
    licence: str
    read: Reader
    notes: tuple[str, ...] = ()
    splits: tuple[Split, ...] = SPLITS
    image_files: Callable[[str], Iterable[str]] = _same_file


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("surrogate", "holds half a character (a lone surrogate)") from None
    return text


def _inside(image: str) -> str:
    if leaves_folder(image) or PureWindowsPath(image).drive:
        raise PydanticCustomError("outside", "leaves the folder of images")
    return image


Encodable = Annotated[str, AfterValidator(_encodable)]
Text = Annotated[Filled, AfterValidator(_encodable)]
Qid = Annotated[str, Field(pattern=r"^Q[0-9]+$")]
ImagePath = Annotated[Text, AfterValidator(_inside)]


class Entry(BaseModel):
    """An entry of a source. Types aren't coerced; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


AnyEntry = TypeVar("AnyEntry", bound=Entry)


def validated(entry_type: type[AnyEntry], where: str, content: object) -> AnyEntry:
    """Check an entry. Raises: DataError, saying where, if it breaks the format."""
    try:
        return entry_type.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{where}: {reason(error)}") from None


def inside_images(image: str, where: str) -> str:
    """Give an image's name back. Raises: DataError, saying where, if it leaves the folder of images."""
    try:
        return _inside(image)
    except PydanticCustomError as error:
        raise DataError(f"{where}: its image {image!r} {error.message()}") from None


def is_nil(entity: str | None) -> bool:
    """Whether an entity's id or address says that the knowledge base has no such entity."""
    return entity is None or entity.strip().lower() in NIL_WORDS


def source_files(source: Path, form: Format) -> list[SourceFile]:
    """The files of a source with the split that their names state.

    source: one file, or a folder with one file `*_train`, `*_dev` (or `*_valid`) and `*_test` each.
    Raises: DataError if there is no such file, or a folder lacks a split that it must have, or has several for one.
    """
    if source.is_file():
        return [SourceFile(source, _split_of(source))]
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder; give a {form.title} file or the folder of its splits")
    found = sorted(path for path in source.iterdir() if path.suffix in form.endings)
    files: list[SourceFile] = []
    for split in SPLITS:
        matching = [path for path in found if _split_of(path) == split]
        if len(matching) > 1 or (split in form.splits and not matching):
            wanted = " or ".join(f"*_{split}{ending}" for ending in form.endings)
            raise DataError(
                f"{source}: expected one file {wanted}, found {[path.name for path in matching]} among "
                f"{[path.name for path in found]}; give one file instead if the source has no splits"
            )
        files += [SourceFile(path, split) for path in matching]
    return files


def _split_of(path: Path) -> Split | None:
    match = SPLIT_IN_NAME.fullmatch(path.stem)
    if match is None:
        return None
    word = match[1].lower()
    return next((split for split in SPLITS if split == word), "dev")


def read_json(path: Path) -> Any:
    """Read a JSON file, with or without a byte-order mark. Raises: DataError if it is none, or a key occurs twice."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error
    return _parse_json(raw.removeprefix(BYTE_ORDER_MARK), str(path))


def read_json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Read a JSON-lines file into (file and line, content); blank lines are none. Raises: DataError as read_json."""
    for number, line in text_lines(path):
        if line.strip():
            where = f"{path} line {number}"
            yield where, _parse_json(line.encode(), where)


def _parse_json(raw: bytes, where: str) -> Any:
    """Parse UTF-8 JSON. Raises: DataError, saying where, if it isn't, or a key occurs twice in one object."""
    try:
        return json.loads(raw.decode(), object_pairs_hook=without_repeats)
    except RepeatedKeyError as error:
        raise DataError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not valid JSON ({error})") from error
