"""What a data set holds, indexed for the rules. Rows that come in join it, so that later ones meet them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemel.core.errors import ImageError
from gemel.core.image_archive import RECORD
from gemel.core.image_files import leaves_folder
from gemel.core.images import read_bytes
from gemel.core.schema import Split
from gemel.intake.candidates import Candidate, Picture
from gemel.intake.lines import SourcedLine, entity_row, post_row, solved, string_of, words_of
from gemel.posts.dataset import ENTITIES, POSTS
from gemel.posts.redirects import REDIRECTS, read_redirects
from gemel.posts.rows import EntityLine, Rows, read_rows

Row = Mapping[str, Any]


@dataclass(frozen=True)
class KnownPost:
    """A post that is there, or comes in. row: as post_row. source: what it came by; "": it was there from the start.

    image: its path in the data set's folder. words: its text as it is compared.
    """

    row: Row
    split: Split
    source: str
    image: str | None
    words: str

    @property
    def id(self) -> str:
        """Of the post."""
        return str(self.row["id"])


@dataclass
class Corpus:
    """Posts and entities by what the rules ask for.

    folder: of the data set. archived: whether its images lie in an archive. mention_ids: with the post that has each.
    by_words: posts by their text. by_string: posts of train and dev by the string of a mention. kinds: of the
    known mentions of a string, how many stand for an entity of which type; "": of none that is known. mentions,
    to_entity: training mentions by source, and by source and entity.
    """

    folder: Path
    entities: dict[str, Row] = field(default_factory=dict)
    redirects: Mapping[str, str] = field(default_factory=dict)
    archived: bool = False
    posts: dict[str, KnownPost] = field(default_factory=dict)
    mention_ids: dict[str, str] = field(default_factory=dict)
    by_words: defaultdict[str, list[KnownPost]] = field(default_factory=lambda: defaultdict(list))
    by_string: defaultdict[str, list[KnownPost]] = field(default_factory=lambda: defaultdict(list))
    kinds: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    mentions: Counter[str] = field(default_factory=Counter)
    to_entity: Counter[tuple[str, str]] = field(default_factory=Counter)
    _hashes: dict[str, str | None] = field(default_factory=dict)
    _by_size: defaultdict[int, list[KnownPost]] | None = None
    _bearers: dict[tuple[str, str], bool] = field(default_factory=dict)

    def add(self, post: KnownPost) -> None:
        """Take a post in."""
        self.posts[post.id] = post
        self.by_words[post.words].append(post)
        for mention in post.row["mentions"]:
            self.mention_ids[mention["id"]] = post.id
        if post.split == "train":
            self.mentions[post.source] += len(post.row["mentions"])
            self.to_entity.update((post.source, each["entity"]) for each in post.row["mentions"] if each["entity"])
        if post.split != "test":
            for mention in post.row["mentions"]:
                if mention["entity"] is not None:
                    self.kinds[string_of(mention)][self.kind(mention["entity"])] += 1
            for string in dict.fromkeys(map(string_of, post.row["mentions"])):
                self.by_string[string].append(post)

    def join(self, candidate: Candidate) -> KnownPost | None:
        """Take a row in that comes in. Returns: the post, if it is one."""
        if candidate.kind == "entity":
            self.entities[candidate.id] = candidate.row
            return None
        row, picture = candidate.row, candidate.picture
        if picture is not None:
            self._hashes[picture.name] = picture.sha256
        image = None if picture is None else picture.name
        post = KnownPost(row, row["split"], candidate.source, image, words_of(row["text"]))
        self.add(post)
        if picture is not None and self._by_size is not None:
            self._by_size[picture.size].append(post)
        return post

    def sha256(self, post: KnownPost) -> str | None:
        """SHA-256 of a post's image; None where it has none that can be read."""
        if post.image is None or self.archived:
            return None
        if post.image not in self._hashes:
            self._hashes[post.image] = _hash_of(self.folder, post.image)
        return self._hashes[post.image]

    def showing(self, picture: Picture) -> list[KnownPost]:
        """The posts that show an image. Only those are read whose files have its size."""
        if self._by_size is None:
            self._by_size = defaultdict(list)
            for post in self.posts.values():
                if post.image is not None:
                    self._by_size[_size_of(self.folder / post.image)].append(post)
        alike = self._by_size.get(picture.size, ())
        return [post for post in alike if self.sha256(post) == picture.sha256]

    def living(self, entity: str) -> str:
        """The id that an entity has today."""
        return self.redirects.get(entity, entity)

    def kind(self, entity: str) -> str:
        """The type of an entity; "" where it isn't known."""
        return str(self.entities.get(self.living(entity), {}).get("type", ""))

    def bears(self, kind: str, string: str) -> bool:
        """Whether the string is in a name of an entity of a type."""
        if (kind, string) not in self._bearers:
            self._bearers[kind, string] = any(
                string in name.casefold()
                for each in self.entities.values()
                if each.get("type") == kind
                for name in (each["label"], each.get("name", ""), *each.get("aliases", ()))
            )
        return self._bearers[kind, string]

    def same(self, candidate: Candidate) -> KnownPost | None:
        """A training post with a row's text, image and solved mentions, whatever their ids."""
        wanted = [solved(each) for each in candidate.row["mentions"]]
        for post in self.by_words.get(words_of(candidate.row["text"]), ()):
            alike = post.row["text"] == candidate.row["text"] and [*map(solved, post.row["mentions"])] == wanted
            if post.split != "train" or not alike or (post.image is None) != (candidate.picture is None):
                continue
            if candidate.picture is None or self.sha256(post) == candidate.sha256:
                return post
        return None


def read_corpus(folder: Path) -> Corpus:
    """Read a data set; rows of it that can't be used are left out, as the stage posts rejects them.

    Raises: DataError if a file is missing or can't be read.
    """
    corpus = Corpus(folder, archived=(folder / RECORD).exists())
    if (folder / REDIRECTS).exists():
        corpus.redirects = read_redirects(folder / REDIRECTS)
    for _, entity in read_rows(folder / ENTITIES, EntityLine, Rows(ENTITIES)):
        corpus.entities.setdefault(corpus.living(entity.id), entity_row(entity))
    for _, line in read_rows(folder / POSTS, SourcedLine, Rows(POSTS)):
        row = post_row(line, leave_out=True)
        source = line.source if isinstance(line.source, str) else ""
        corpus.add(KnownPost(row, line.split, source, line.image, words_of(line.text)))
    return corpus


def _hash_of(folder: Path, image: str) -> str | None:
    if leaves_folder(image):
        return None
    try:
        return hashlib.sha256(read_bytes(folder / image)).hexdigest()
    except ImageError:
        return None


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
