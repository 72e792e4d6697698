"""Links that people judged, as questions whose answer is known.

The folder of an audit holds what `gemel audit sample` wrote, the judgements, and the posts that were linked, or these
lie beside it. A link that most of its judges found right says what its mention stands for; one that they found wrong
does, where they say what is right. All others are left out, and counted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from gemel.audit.accuracy import majority
from gemel.audit.files import SAMPLE, TASKS, read_judgements
from gemel.audit.judgements import Judgement, Verdict, check_judgements
from gemel.audit.sampling import Item, Sample, read_sample
from gemel.core.artifacts import file_sha256
from gemel.core.errors import DataError
from gemel.core.schema import Mention, Post
from gemel.entities.catalog import Catalog
from gemel.posts.requests import read_requests

RESULT = "audit.json"
ENDINGS = (".csv", ".tsv", ".json")
# Why a link says nothing.
OPEN, UNSURE, UNKNOWN, SERVES, TWICE = (
    "not judged",
    "judged unsure",
    "wrong, and the right entity is not known",
    "its text is in the data set or among the demonstrations",
    "judged in another audit too",
)
_ID = re.compile(r"\(([^()]+)\)\s*$")


@dataclass(frozen=True)
class JudgedMentions:
    """Posts of one mention each, whose entity_id is the right one. left_out: links that say nothing, by reason."""

    posts: tuple[Post, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class _Entities:
    """Finds an entity by what people write. catalog: that it must be in."""

    catalog: Catalog

    def find(self, words: str) -> str | None:
        """The living id of an id, "name (id)" or name; None if it is none of the catalog."""
        inner = _ID.search(words)
        for given in (words, inner[1] if inner else "", self._by_name.get(words, "")):
            if given in self.catalog:
                return self.catalog.redirects.get(given, given)
        return None

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return dict(zip(self.catalog.names, self.catalog.ids, strict=True))


def plain(text: str) -> str:
    """A text as it is compared with others: whatever its case and white space."""
    return " ".join(text.casefold().split())


def read_audits(folder: Path, catalog: Catalog, taken: Collection[str]) -> JudgedMentions:
    """Read all audits in a folder and below it.

    catalog: a right entity must be in it. taken: texts, plain, that a release was trained on, shows as demonstrations
    or is tested on already: a judged post with one of them is left out.
    Raises: DataError if there is no audit, or one lacks its posts, or has judgements of others than were drawn.
    """
    samples = sorted(folder.rglob(SAMPLE))
    if not samples:
        advice = "put in the folder that `gemel audit sample` wrote, with its judgements and the posts"
        raise DataError(f"{folder}: no {SAMPLE} in it or below it; {advice}")
    entities, left_out = _Entities(catalog), Counter[str]()
    found: dict[tuple[str, str, int | None], Post] = {}
    for path in samples:
        for post in _judged(path, entities, left_out):
            (mention,) = post.mentions
            if plain(post.text) in taken:
                left_out[SERVES] += 1
            elif found.setdefault((post.text, mention.text, mention.start), post) is not post:
                left_out[TWICE] += 1
    return JudgedMentions(tuple(found.values()), dict(left_out))


def _judged(path: Path, entities: _Entities, left_out: Counter[str]) -> Iterator[Post]:
    """The posts of one audit whose right entity is known."""
    sample = read_sample(path)
    names = {SAMPLE, TASKS, RESULT}
    files = sorted(file for file in path.parent.iterdir() if file.suffix in ENDINGS and file.name not in names)
    judgements = read_judgements(files)
    if judgements:
        check_judgements(judgements, sample)
    said: dict[str, list[Judgement]] = defaultdict(list)
    for each in judgements:
        said[each.item].append(each)
    posts = _posts(path, sample)
    for item in sample.items:
        right = _right_entity(item, said[item.item], entities)
        if right in (OPEN, UNSURE, UNKNOWN):
            left_out[right] += 1
        else:
            yield _asked(item, right, posts, path)


def _right_entity(item: Item, said: Sequence[Judgement], entities: _Entities) -> str:
    """The id of the right entity, or why it isn't known."""
    if not said:
        return OPEN
    verdict = majority(each.verdict for each in said)
    if verdict is Verdict.UNSURE:
        return UNSURE
    if verdict is Verdict.CORRECT:
        return entities.find(item.entity_id) or UNKNOWN
    named = Counter(entities.find(each.right_entity) for each in said if each.right_entity)
    best = [entity for entity, count in named.items() if count == max(named.values())]
    return best[0] if len(best) == 1 and best[0] is not None else UNKNOWN


def _posts(path: Path, sample: Sample) -> dict[str, Post]:
    """The posts that the sample was drawn from, by id."""
    name = sample.frame.posts
    for place in (path.parent / name, path.parent.parent / name):
        if place.is_file() and file_sha256(place) == sample.frame.posts_sha256:
            return {post.post_id: post for post in read_requests(place, unmentioned=True) if isinstance(post, Post)}
    raise DataError(
        f"{path}: drawn from {name} of SHA-256 {sample.frame.posts_sha256[:12]}…, which lies neither beside it nor one "
        "folder up; copy it there with its images, or take the audit out of the folder"
    )


def _asked(item: Item, right: str, posts: Mapping[str, Post], path: Path) -> Post:
    post = posts.get(item.post_id)
    if post is None:
        raise DataError(f"{path}: its posts have none with the id {item.post_id!r}; give the ones that were linked")
    # Of a post that states none, the mentions are those that were found.
    mention = next((each for each in post.mentions if each.text == item.mention), Mention(item.mention))
    return replace(post, mentions=(replace(mention, entity_id=right),))
