"""The project's own data set format: posts.jsonl, entities.jsonl, images/ and dataset.json in one folder.

Beside them may lie redirects.tsv: gold ids and the ids of entities are then replaced by the living ids that it states;
images.parquet, in place of images/ where these stay in an archive; image_vectors.npy and .parquet, in place of images.

A row that breaks the format is not lost: it becomes a rejected row with its file, line and reason. A mention that
breaks it is rejected alone, its post stays.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from gemel.core.errors import DataError
from gemel.core.image_files import ImageFiles, ImageFolder
from gemel.core.schema import Entity, Split
from gemel.posts.image_check import NO_IMAGE, ImageCheck, check_images
from gemel.posts.redirects import REDIRECTS, read_redirects
from gemel.posts.rows import EntityLine, MentionLine, PostLine, RejectedRow, Rows, read_rows, reason

FORMAT = 1
POSTS, ENTITIES, FACTS = "posts.jsonl", "entities.jsonl", "dataset.json"
MENTIONS = f"{POSTS}:mentions"


@dataclass(frozen=True, slots=True)
class MentionRow:
    """A mention of one post.

    start, end: character offsets, given or because the mention occurs just once in the text; else None.
    occurrences: how often it is in the text, 0 if not at all. entity_id: None for NIL; a redirect is followed.
    in_kb: whether the entity is one of the data set's.
    """

    mention_id: str
    mention: str
    start: int | None
    end: int | None
    occurrences: int
    entity_id: str | None
    in_kb: bool


@dataclass(frozen=True, slots=True)
class PostRow:
    """A post. image: path relative to the data set's folder. caption: what the image shows, where that is known."""

    post_id: str
    text: str
    image: str | None
    image_check: ImageCheck
    split: Split
    caption: str | None
    mentions: tuple[MentionRow, ...]


@dataclass(frozen=True)
class RawDataset:
    """All rows of a data set, in the order of its files.

    entities: their names as given, perhaps empty; not told apart yet.
    rows_in: rows read, by source; each source's number is that of its kept and its rejected rows together.
    redirected_mentions: how many gold ids were replaced by the living id that redirects.tsv states.
    """

    name: str
    posts: tuple[PostRow, ...]
    entities: tuple[Entity, ...]
    rejected: tuple[RejectedRow, ...]
    rows_in: Mapping[str, int]
    redirected_mentions: int = 0


@dataclass
class _Ids:
    """Which entities there are, and which ids stand for others. followed: gold ids that did."""

    known: Container[str]
    redirects: Mapping[str, str]
    followed: int = 0

    def living(self, gold: str | None) -> str | None:
        if gold is None or gold not in self.redirects:
            return gold
        self.followed += 1
        return self.redirects[gold]


def read_dataset(
    folder: Path, files: ImageFiles | None = None, vectors: Mapping[str, str] = MappingProxyType({})
) -> RawDataset:
    """Read a data set, checking each of its rows and images.

    files: its images; None: those in its folder. vectors: as check_images.
    Raises: DataError if a file is missing, dataset.json is of another format, redirects.tsv is broken, or no usable
    post or entity is left.
    """
    name = str(read_facts(folder).get("name") or folder.name)
    redirects = read_redirects(folder / REDIRECTS) if (folder / REDIRECTS).exists() else {}
    entities = _follow(redirects, read_rows(folder / ENTITIES, EntityLine))
    posts = read_rows(folder / POSTS, PostLine)
    _expect_rows(folder, posts)
    _expect_rows(folder, entities)
    ids = _Ids({entity.id for _, entity in entities.kept}, redirects)
    mentions: Rows[MentionRow] = Rows(MENTIONS)
    mentions_of_posts = [_read_mentions(post, line, ids, mentions) for line, post in posts.kept]
    named = (post.image for _, post in posts.kept if post.image is not None)
    checks = check_images(files or ImageFolder(folder), named, vectors)
    for counted in (posts, mentions, entities):
        counted.check_sum()
    return RawDataset(
        name=name,
        posts=tuple(
            PostRow(
                post.id,
                post.text,
                post.image,
                NO_IMAGE if post.image is None else checks[post.image],
                post.split,
                post.caption,
                found,
            )
            for (_, post), found in zip(posts.kept, mentions_of_posts, strict=True)
        ),
        entities=tuple(_entity(entity) for _, entity in entities.kept),
        rejected=(*posts.rejected, *mentions.rejected, *entities.rejected),
        rows_in={rows.source: rows.read for rows in (posts, mentions, entities)},
        redirected_mentions=ids.followed,
    )


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what dataset.json of a data set states.

    Raises: DataError if the folder or the file is missing, damaged or of another format.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such data set; import one with `gemel import` or correct `dataset` in the settings"
        )
    path = folder / FACTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; a data set says its name and format there") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from error
    found = facts.get("format") if isinstance(facts, dict) else None
    if found != FORMAT:
        raise DataError(f"{path}: expected format {FORMAT}, found {found!r}; import the data set again")
    return dict(facts)


def _follow(redirects: Mapping[str, str], entities: Rows[tuple[int, EntityLine]]) -> Rows[tuple[int, EntityLine]]:
    """Give entities their living ids; an entity whose living id has another row is rejected."""
    followed = dataclasses.replace(entities, kept=[])
    for line, entity in entities.kept:
        living = redirects.get(entity.id, entity.id)
        try:
            if living != entity.id:
                followed.claim(living, line)
        except ValueError as error:
            followed.reject(
                line, entity.model_dump_json(exclude_none=True), f"{error}, to which {entity.id!r} redirects"
            )
        else:
            followed.kept.append((line, entity.model_copy(update={"id": living})))
    return followed


def _expect_rows(folder: Path, rows: Rows[Any]) -> None:
    if rows.kept:
        return
    path = folder / rows.source
    if not rows.rejected:
        raise DataError(f"{path}: it has no rows")
    first = rows.rejected[0]
    raise DataError(f"{path}: none of its {rows.read} rows can be used; line {first.line} because of {first.reason}")


def _read_mentions(post: PostLine, line: int, ids: _Ids, mentions: Rows[MentionRow]) -> tuple[MentionRow, ...]:
    """Check the mentions of one post, adding them to the kept or the rejected ones of the data set."""
    before = len(mentions.kept)
    for entry in post.mentions:
        mentions.read += 1
        try:
            mention = MentionLine.model_validate(entry)
            span = _place(mention, post.text)
            mentions.claim(mention.id, line)
        except ValidationError as error:
            mentions.reject(line, json.dumps(entry, ensure_ascii=False), reason(error))
        except ValueError as error:
            mentions.reject(line, json.dumps(entry, ensure_ascii=False), str(error))
        else:
            entity = ids.living(mention.entity)
            in_kb = entity is not None and entity in ids.known
            mentions.kept.append(MentionRow(mention.id, mention.mention, *span, entity, in_kb))
    return tuple(mentions.kept[before:])


def _place(mention: MentionLine, text: str) -> tuple[int | None, int | None, int]:
    """Find start and end of the mention in its text, and how often it is there.

    Raises: ValueError if its offsets don't hold it.
    """
    occurrences = text.count(mention.mention)
    start, end = mention.start, mention.end
    if (start is None) != (end is None):
        raise ValueError(f"span: start {start} and end {end}, one without the other")
    if start is not None and end is not None:
        _check_span(mention.mention, start, end, text)
    elif occurrences == 1:
        start = text.index(mention.mention)
        end = start + len(mention.mention)
    return start, end, occurrences


def _check_span(mention: str, start: int, end: int, text: str) -> None:
    # Without the first test a negative start would count from the end of the text.
    covered = text[start:end] if 0 <= start < end <= len(text) else None
    if covered != mention:
        held = "outside the text" if covered is None else f"which holds {covered!r}"
        raise ValueError(f"span: {start} to {end} of {len(text)} characters, {held} and not the mention {mention!r}")


def _entity(line: EntityLine) -> Entity:
    return Entity(
        entity_id=line.id,
        name=line.name or "",
        label=line.label,
        description=line.description or "",
        entity_type=line.type or "",
        aliases=tuple(line.aliases or ()),
        popularity=line.popularity or 0.0,
        title=line.title or "",
        year=line.year,
        language=line.language or "",
    )
