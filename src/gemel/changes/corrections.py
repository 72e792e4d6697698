"""Corrections: mentions that people solved. The release shows them as demonstrations: they act without training.

demonstrations.jsonl   a post with one mention a line, in the form of posts.jsonl, in the order they were added
images/                their images, named by SHA-256

An id follows from the content. Corrections are no part of a data set, so that dev and test never meet them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from gemel.core.drafts import whole_file
from gemel.core.errors import DataError, RequestError
from gemel.core.images import decode_image, read_bytes
from gemel.core.schema import Mention, Post
from gemel.entities.catalog import Catalog
from gemel.posts.data_folder import write_lines
from gemel.posts.mentions import find_mention
from gemel.posts.rows import MentionLine, PostLine, Rows, Words, read_rows, reason

DEMONSTRATIONS, IMAGES = "demonstrations.jsonl", "images"
MEND = "mend that line, or get the file as it was recorded with `dvc checkout data.dvc`"
ID_DIGITS, MOST_SHOWN = 16, 3
MISPLACED = "misplaced"  # pydantic's type of the errors about a mention's place


class SolvedMention(MentionLine):
    """A mention whose entity is known."""

    entity: Words


class Correction(PostLine):
    """A line of demonstrations.jsonl; its one mention has the post's id."""

    mentions: Annotated[list[SolvedMention], Field(min_length=1, max_length=1)]

    @model_validator(mode="after")
    def _holds_its_mention(self) -> Correction:
        try:
            _, _, occurrences = find_mention(self.mention, self.text)
        except ValueError as error:
            raise PydanticCustomError(MISPLACED, "{why}", {"why": str(error)}) from None
        if not occurrences:
            words = "the mention {mention} is not in the text; give it as it is written there"
            raise PydanticCustomError(MISPLACED, words, {"mention": repr(self.mention.mention)})
        return self

    @property
    def mention(self) -> SolvedMention:
        """The mention that was solved."""
        return self.mentions[0]

    @property
    def image_sha256(self) -> str | None:
        """SHA-256 of the image's bytes; None without an image."""
        return Path(self.image).stem if self.image else None

    @property
    def asked(self) -> tuple[object, ...]:
        """What was solved: two corrections that agree in this must not differ in the entity."""
        return (self.text, self.mention.mention, self.mention.start, self.image_sha256)


AnyCorrection = TypeVar("AnyCorrection", bound=Correction)


@dataclass(frozen=True)
class NewCorrection:
    """A correction that is not kept yet, with its image's bytes; None without an image."""

    correction: Correction
    picture: bytes | None


@dataclass(frozen=True)
class Added:
    """Ids of what was added, and of what was there already."""

    added: tuple[str, ...]
    known: tuple[str, ...]


def read_corrections(folder: Path) -> tuple[Correction, ...]:
    """Read the corrections of a data set's folder of changes, the oldest first; none where there is no file.

    Raises: DataError, naming the file and the line, if a line can't be used or an image is absent or another.
    """
    path = folder / DEMONSTRATIONS
    if not path.is_file():
        return ()
    rows = Rows(str(path))
    kept = tuple(correction for _, correction in read_rows(path, Correction, rows))
    if len(rows.rejected):
        first = rows.rejected.table().row(0, named=True)
        raise DataError(f"{path} line {first['line']}: {first['reason']}; {MEND}")
    for image in {each.image for each in kept if each.image}:
        if not (folder / image).is_file():
            raise DataError(f"{folder / image}: no such file, but {path} names it; run `dvc checkout data.dvc`")
    return kept


def solve(posts: Sequence[Post], catalog: Catalog) -> list[NewCorrection]:
    """Turn solved mentions of posts into corrections, their images read and decoded; one for each mention.

    Raises: RequestError, naming the post, if it has no text or mention, a mention is not in it or has no entity, or
    the catalog lacks the entity; ImageError if an image can't be read.
    """
    return [_solved(post, mention, catalog) for post in posts for mention in post.mentions]


def correction_row(text: str, mention: Mention, image: str | None, title: str) -> dict[str, Any]:
    """A correction as a line of demonstrations.jsonl, with the id that follows from its content.

    mention: its entity_id may be None, which no Correction takes. image: path, named by the SHA-256 of the image's
    bytes. title: names the correction in errors.
    Raises: RequestError if a string is no Unicode.
    """
    start, end = mention.start, mention.end
    if start is None and end is None and text.count(mention.text) == 1:
        start = text.index(mention.text)
        end = start + len(mention.text)
    facts = {"mention": mention.text, "start": start, "end": end, "entity": mention.entity_id}
    sha256 = Path(image).stem if image else None
    content = json.dumps([text, sha256, facts], sort_keys=True, ensure_ascii=False)
    try:
        digest = hashlib.sha256(content.encode()).hexdigest()
    except UnicodeEncodeError:
        raise RequestError(f"{title}: holds a lone surrogate, which is no character; repair the encoding") from None
    id_ = f"c{digest[:ID_DIGITS]}"
    return {"id": id_, "text": text, "image": image, "split": "train", "mentions": [facts | {"id": id_}]}


def validated(line_type: type[AnyCorrection], row: Mapping[str, Any], title: str) -> AnyCorrection:
    """A row as a correction. title: names it in errors.

    Raises: RequestError if the mention is not in the text or at its offsets, or a string is empty.
    """
    try:
        return line_type.model_validate(row)
    except ValidationError as error:
        misplaced = [issue["msg"] for issue in error.errors() if issue["type"] == MISPLACED]
        raise RequestError(f"{title}: {'; '.join(misplaced) or reason(error)}") from None


def add_corrections(folder: Path, new: Sequence[NewCorrection]) -> Added:
    """Keep corrections in a data set's folder of changes, behind those that are there.

    Raises: RequestError if the same mention was corrected to another entity before; DataError as read_corrections.
    """
    kept = {each.id: each for each in read_corrections(folder)}
    before = dict.fromkeys(kept)
    entity_of = {each.asked: each for each in kept.values()}
    for each in new:
        _refuse_contradiction(each.correction, entity_of.setdefault(each.correction.asked, each.correction))
        kept.setdefault(each.correction.id, each.correction)
    for each in new:
        if each.correction.id not in before and each.picture is not None and each.correction.image is not None:
            (folder / IMAGES).mkdir(parents=True, exist_ok=True)
            with whole_file(folder / each.correction.image) as draft:
                draft.write_bytes(each.picture)
    _write(folder, kept.values())
    asked = dict.fromkeys(each.correction.id for each in new)
    return Added(tuple(id_ for id_ in asked if id_ not in before), tuple(id_ for id_ in asked if id_ in before))


def remove_corrections(folder: Path, ids: Sequence[str]) -> None:
    """Forget corrections, with the images that no other one shows.

    Raises: RequestError if there is none with one of the ids; DataError as read_corrections.
    """
    kept = {each.id: each for each in read_corrections(folder)}
    for id_ in ids:
        if id_ not in kept:
            near = get_close_matches(id_, kept, MOST_SHOWN, cutoff=0.0)
            known = f"nearest: {', '.join(near)}" if near else "there is none"
            raise RequestError(f"no correction {id_!r} ({known}); `gemel demonstrations list` shows all {len(kept)}")
    left = [each for each in kept.values() if each.id not in ids]
    for image in {each.image for each in kept.values() if each.image} - {each.image for each in left}:
        (folder / image).unlink()
    _write(folder, left)


def _write(folder: Path, corrections: Iterable[Correction]) -> None:
    """Write the file; without corrections there is none, and no folder of images, as if there had never been any."""
    rows = [each.model_dump(exclude_none=True) for each in corrections]
    with whole_file(folder / DEMONSTRATIONS) as draft:
        write_lines(draft, rows)
    if not rows:
        (folder / DEMONSTRATIONS).unlink()
    images = folder / IMAGES
    if images.is_dir() and not any(images.iterdir()):
        images.rmdir()


def _solved(post: Post, mention: Mention, catalog: Catalog) -> NewCorrection:
    title = f"post {post.post_id!r}" if post.post_id else "the correction"
    if mention.entity_id is None:
        raise RequestError(f"{title}: the mention {mention.text!r} has no entity, and nothing can be shown for it")
    picture, image = None, None
    if post.image is not None:
        picture = read_bytes(post.image)
        decode_image(picture, str(post.image))
        image = f"{IMAGES}/{hashlib.sha256(picture).hexdigest()}{post.image.suffix.lower()}"
    correction = validated(Correction, correction_row(post.text, mention, image, title), title)
    if mention.entity_id not in catalog:
        raise RequestError(
            f"{title}: no entity {mention.entity_id!r} in the catalog of {len(catalog)}; nearest are "
            f"{', '.join(_nearest(mention.entity_id, mention.text, catalog))}"
        )
    return NewCorrection(correction, picture)


def _refuse_contradiction(new: Correction, first: Correction) -> None:
    if new.mention.entity != first.mention.entity:
        raise RequestError(
            f"the mention {new.mention.mention!r} of {new.text[:80]!r} is to be {new.mention.entity}, but by "
            f"{first.id} it is {first.mention.entity}; run `gemel demonstrations remove {first.id}` first"
        )


def _nearest(given: str, mention: str, catalog: Catalog) -> list[str]:
    """Ids, with their names, that look like the one given, or whose name holds it or the mention."""
    wanted = (given.casefold(), mention.casefold())
    by_id = get_close_matches(given, [id_ for id_ in catalog.ids if id_[:2] == given[:2]], MOST_SHOWN)
    names = zip(catalog.ids, map(str.casefold, catalog.names), strict=True)
    by_name = [id_ for id_, name in names if any(words in name for words in wanted)]
    found = dict.fromkeys(by_id + by_name) or dict.fromkeys(get_close_matches(given, catalog.ids, MOST_SHOWN, 0.0))
    return [f"{id_} ({catalog.entity(id_).name})" for id_ in list(found)[: 2 * MOST_SHOWN]]
