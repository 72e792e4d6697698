"""Import of fragments of posts, whatever public format they came from, into the project's own."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gemel.core.drafts import put_in_place
from gemel.core.errors import DataError
from gemel.core.schema import SPLITS, Split
from gemel.posts.data_folder import data_draft, write_facts, write_lines
from gemel.posts.dataset import ENTITIES, FORMAT, POSTS
from gemel.posts.image_vectors import FACT, copy_vectors
from gemel.posts.sources import Format, Fragment, SourceMention, source_files
from gemel.posts.vector_file import VectorFile

# Shares of the split that is made for a source without one; the rest is test.
TRAIN_SHARE, DEV_SHARE = 0.70, 0.10
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class ImportReport:
    """What an import wrote and what it met.

    images: files copied. missing_images: different images that the source names and nobody gave.
    mentions_not_in_text, repeated_mentions: mentions that occur not at all, or more than once, in their post's text.
    ambiguous_mentions: different mention strings that stand for several entities.
    divided_posts: posts of the source that became several, as their mentions differ in split, sentence or image.
    splits: posts of each split. split_by: "file name", or "hash of the post id" where the source has no splits.
    notes: counts of what only some formats have; see the module of the format.
    """

    posts: int
    mentions: int
    entities: int
    images: int
    missing_images: int
    mentions_not_in_text: int
    repeated_mentions: int
    ambiguous_mentions: int
    divided_posts: int
    splits: Mapping[str, int]
    split_by: str
    notes: dict[str, int]

    def counts(self) -> dict[str, Any]:
        """All of it by name, the notes among the others."""
        counts = dataclasses.asdict(self)
        del counts["notes"]
        return counts | self.notes


@dataclass(frozen=True, slots=True)
class _Post:
    post_id: str
    text: str
    image: str | None
    split: Split
    mentions: tuple[SourceMention, ...]
    topic: str | None = None


def import_source(
    form: Format, source: Path, target: Path, images: Path | None, vectors: VectorFile | None = None
) -> ImportReport:
    """Write a source as a data set; the same source always gives the same bytes.

    source: one file, or a folder with one for each split. A file whose name states a split is that split; any other is
    divided 70/10/20 by the SHA-256 of the post's id.
    target: the data set's folder; one that is there is replaced, and kept as it was if the import fails.
    images: folder that the source's image names are relative to; None if there are no images. Files keep their names
    where these are plain, so that images which come later can simply be put into place.
    vectors: file with the vectors of images, which the data set then has in place of these images.
    Raises: DataError, naming the file and the entry, if the source breaks its format.
    """
    if images is not None and not images.is_dir():
        raise DataError(f"{images}: no such folder of images")
    files = source_files(source, form)
    notes = dict.fromkeys(form.notes, 0)
    fragments = list(form.read(files, notes))
    if not fragments:
        raise DataError(f"{source}: no entries")
    _check_ids(fragments)
    posts, divided = _join_posts(fragments)
    entities = _catalog(posts)
    with data_draft(target) as draft:
        copied, missing = _copy_images(posts, images, draft / "images", form.image_files)
        about: dict[str, Any] = {"name": target.name, "source": form.about, "licence": form.licence, "format": FORMAT}
        if vectors is not None:
            about[FACT] = copied_vectors = copy_vectors(vectors, _vector_keys(fragments), draft)
            notes |= {f"vectors_{what}": copied_vectors[what] for what in ("found", "absent", "rejected")}
        facts = _facts(posts, divided)
        split_by = "hash of the post id" if files[0].split is None else "file name"
        report = ImportReport(
            **facts, entities=len(entities), images=copied, missing_images=missing, split_by=split_by, notes=notes
        )
        write_lines(draft / POSTS, (_post_line(post) for post in posts))
        write_lines(draft / ENTITIES, entities)
        popularity = {"popularity": "mentions in the train split"}
        write_facts(draft, about | popularity | report.counts())
        put_in_place(draft, target)
    return report


def _check_ids(fragments: Iterable[Fragment]) -> None:
    first: dict[str, str] = {}
    for fragment in fragments:
        for mention in fragment.mentions:
            if mention.mention_id in first:
                raise DataError(
                    f"{fragment.where}: mention id {mention.mention_id!r} is that of {first[mention.mention_id]} too"
                )
            first[mention.mention_id] = fragment.where


def _join_posts(fragments: Iterable[Fragment]) -> tuple[list[_Post], int]:
    """Join the fragments that agree in post id, sentence, image and split; also count the posts that fell apart."""
    joined: dict[tuple[str, str, str | None, Split], list[SourceMention]] = {}
    topics: dict[str, str | None] = {}
    for fragment in fragments:
        split = fragment.split or _split_by_hash(fragment.group)
        topics[fragment.group] = topics.get(fragment.group) or fragment.topic
        joined.setdefault((fragment.group, fragment.sentence, fragment.image, split), []).extend(fragment.mentions)
    parts = Counter(group for group, *_ in joined)
    taken = {group for group, count in parts.items() if count == 1}
    posts = []
    for (group, sentence, image, split), mentions in joined.items():
        post_id = group if parts[group] == 1 else _part_id(f"{group}.{split}", taken)
        posts.append(_Post(post_id, sentence, image, split, tuple(mentions), topics[group]))
    return posts, sum(count > 1 for count in parts.values())


def _part_id(wanted: str, taken: set[str]) -> str:
    post_id, number = wanted, 1
    while post_id in taken:
        number += 1
        post_id = f"{wanted}.{number}"
    taken.add(post_id)
    return post_id


def _split_by_hash(group: str) -> Split:
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    if share < TRAIN_SHARE:
        return "train"
    return "dev" if share < TRAIN_SHARE + DEV_SHARE else "test"


def _catalog(posts: Iterable[_Post]) -> list[dict[str, Any]]:
    """Entity lines in the order of first mention: the first name is the label, further ones are aliases."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    popularity: Counter[str] = Counter()
    for post in posts:
        for mention in post.mentions:
            if mention.entity_id is not None:
                names[mention.entity_id].update(dict.fromkeys((mention.name, *mention.also)))
                popularity[mention.entity_id] += post.split == "train"
    return [
        {"id": entity_id, "label": label, "aliases": aliases, "popularity": popularity[entity_id]}
        for entity_id, (label, *aliases) in names.items()
    ]


def _facts(posts: Sequence[_Post], divided: int) -> dict[str, Any]:
    occurrences = [post.text.count(mention.mention) for post in posts for mention in post.mentions]
    meanings: dict[str, set[str | None]] = defaultdict(set)
    for post in posts:
        for mention in post.mentions:
            meanings[mention.mention].add(mention.entity_id)
    splits = Counter(post.split for post in posts)
    return {
        "posts": len(posts),
        "mentions": len(occurrences),
        "mentions_not_in_text": sum(count == 0 for count in occurrences),
        "repeated_mentions": sum(count > 1 for count in occurrences),
        "ambiguous_mentions": sum(len(entities) > 1 for entities in meanings.values()),
        "divided_posts": divided,
        "splits": {split: splits[split] for split in SPLITS},
    }


def _post_line(post: _Post) -> dict[str, Any]:
    return {
        "id": post.post_id,
        "text": post.text,
        "image": None if post.image is None else _image_path(post.image),
        "split": post.split,
        "mentions": [
            {
                "id": mention.mention_id,
                "mention": mention.mention,
                "start": mention.start,
                "end": mention.end,
                "entity": mention.entity_id,
            }
            for mention in post.mentions
        ],
        **({} if post.topic is None else {"topic": post.topic}),
    }


def _image_path(image: str) -> str:
    return f"images/{_image_name(image)}"


def _vector_keys(fragments: Iterable[Fragment]) -> dict[str, list[str]]:
    """The keys that a file of vectors may have for an image, by the path that posts name it with."""
    keys: dict[str, dict[str, None]] = defaultdict(dict)
    for fragment in fragments:
        if fragment.image is not None:
            keys[_image_path(fragment.image)][fragment.vector_key or fragment.image] = None
    return {image: list(names) for image, names in keys.items()}


def _image_name(image: str) -> str:
    """A plain file name stays; any other (folders, spaces, other scripts) becomes a hash of it, keeping its ending."""
    if SAFE_NAME.fullmatch(image):
        return image
    ending = PurePosixPath(image).suffix.lower()
    return hashlib.sha256(image.encode()).hexdigest()[:32] + (ending if SAFE_NAME.fullmatch(f"x{ending}") else "")


def _copy_images(
    posts: Iterable[_Post], images: Path | None, target: Path, image_files: Callable[[str], Iterable[str]]
) -> tuple[int, int]:
    """Copy the images that posts name; returns how many were copied and how many are missing."""
    target.mkdir()
    names = dict.fromkeys(post.image for post in posts if post.image is not None)
    copied = 0
    for name in names:
        file = None if images is None else next(filter(_is_file, (images / file for file in image_files(name))), None)
        if file is not None:
            shutil.copyfile(file, target / _image_name(name))
            copied += 1
    return copied, len(names) - copied


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # A name that no file can have: too long, or with a null character.
        return False
