"""Links together with the posts that they were found in: what a sample is drawn from and what exports write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gemel.core.errors import DataError
from gemel.core.schema import Candidate, Mention, Post
from gemel.links import SCHEMA, check_format
from gemel.posts.requests import RefusedLine, read_requests

NOT_IN_TEXT = "the mention does not occur in the text"
AMBIGUOUS = "the mention occurs more than once, and the post states no offsets"
OTHER_SPAN = "the offsets that the post states do not hold the mention"
REPEATED = "another link stands at the same place"


@dataclass(frozen=True)
class Place:
    """Where a mention stands in its text: start and end in code points, end behind the last one."""

    start: int
    end: int


@dataclass(frozen=True)
class LinkedMention:
    """A mention, the post that it stands in, and what was found for it.

    row: its row in the file of links, from 0. place: None where it is not certain, and unplaced then says why.
    candidates: best first, one at least. image: how reading the post's image went, as in core.schema.Link.
    entity_type: what the post restricts the entity to; "": nothing.
    """

    row: int
    post: Post
    mention: str
    place: Place | None
    unplaced: str
    candidates: tuple[Candidate, ...]
    image: str
    entity_type: str

    @property
    def best(self) -> Candidate:
        """The candidate with the highest score."""
        return self.candidates[0]


@dataclass(frozen=True)
class LinkedPosts:
    """The posts of a file of requests, in its order, and the links of their mentions, in the order of the links.

    refused: rows that say why a line or a post was not linked, or that no mention was found in it. nil: mentions whose
    entity the catalog lacks, by the linker; their candidates are what it would have answered.
    """

    posts: tuple[Post, ...]
    mentions: tuple[LinkedMention, ...]
    refused: int
    nil: tuple[LinkedMention, ...] = ()


@dataclass(frozen=True)
class Placed:
    """Links whose places are certain and no two alike; left_out: how many others there were, by reason."""

    mentions: tuple[LinkedMention, ...]
    left_out: Mapping[str, int]


def read_linked(links: Path, posts: Path) -> LinkedPosts:
    """Read the file that `gemel link --out` wrote, and the requests that it was given.

    Raises: RequestError if the links' file is neither Parquet nor JSON lines. DataError if one of the files is missing
    or damaged, an id is there twice among the posts, there are no links, or a link's post or mention is not among them.
    """
    rows = read_links(links)
    by_id = _by_id(posts)
    usable = [(number, row) for number, row in enumerate(rows) if row["error"] is None and row["mention"] is not None]
    found = tuple(_linked(number, row, by_id, links, posts) for number, row in usable if not row["nil"])
    nil = tuple(_linked(number, row, by_id, links, posts) for number, row in usable if row["nil"])
    if not found:
        raise DataError(f"{links}: {len(rows)} rows and no link among them; see their columns error and nil")
    # A post that states no mentions was linked if they were found in its text, and refused if not.
    read = {row["post_id"] for row in rows if row["error"] is None}
    known = tuple(post for post in by_id.values() if isinstance(post, Post) and (post.mentions or post.post_id in read))
    return LinkedPosts(known, found, len(rows) - len(usable), nil)


def read_links(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of links, with the columns of gemel.links.SCHEMA.

    Raises: RequestError if it is neither Parquet nor JSON lines; DataError if it is missing, damaged or of others.
    """
    check_format(path)
    advice = "give the file that `gemel link --out` wrote"
    if not path.is_file():
        raise DataError(f"{path}: no such file; {advice}")
    if not path.stat().st_size:
        raise DataError(f"{path}: the file is empty; {advice}")
    try:
        parquet = path.suffix == ".parquet"
        table = pl.read_parquet(path) if parquet else pl.read_ndjson(path, infer_schema_length=None)
        missing = [name for name in SCHEMA if name not in table.columns]
        if missing:
            raise DataError(f"{path}: columns {missing} are missing, found {table.columns}; {advice}")
        return table.select(*SCHEMA).cast(pl.Schema(SCHEMA)).to_dicts()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: no file of links ({first_line(error)}); {advice}") from error


def placed(mentions: Iterable[LinkedMention]) -> Placed:
    """Those links that a format of offsets can hold, in their order; of two at one place the first."""
    kept: dict[tuple[str, Place], LinkedMention] = {}
    left_out: Counter[str] = Counter()
    for each in mentions:
        if each.place is None:
            left_out[each.unplaced] += 1
        elif (each.post.post_id, each.place) in kept:
            left_out[REPEATED] += 1
        else:
            kept[each.post.post_id, each.place] = each
    return Placed(tuple(kept.values()), left_out)


def find_place(mention: Mention, text: str) -> Place | str:
    """Where a mention stands: at the offsets that it states, else at the only place that it occurs; or why neither."""
    start, end = mention.start, mention.end
    if start is not None or end is not None:
        inside = start is not None and end is not None and 0 <= start < end <= len(text)
        if start is None or end is None or not inside or text[start:end] != mention.text:
            return OTHER_SPAN
        return Place(start, end)
    at = text.find(mention.text)
    if at < 0:
        return NOT_IN_TEXT
    return AMBIGUOUS if text.find(mention.text, at + 1) >= 0 else Place(at, at + len(mention.text))


def first_line(error: Exception) -> str:
    """What an error of Polars says, without the plan of its query."""
    return str(error).partition("\n")[0]


def _by_id(path: Path) -> dict[str, Post | RefusedLine]:
    by_id: dict[str, Post | RefusedLine] = {}
    for request in read_requests(path, unmentioned=True):
        if request.post_id in by_id:
            raise DataError(
                f"{path}: two posts have the id {request.post_id!r}, so links can't be told apart; give each its own "
                "and link them again"
            )
        by_id[request.post_id] = request
    return by_id


def _linked(
    number: int, row: Mapping[str, Any], by_id: Mapping[str, Post | RefusedLine], links: Path, posts: Path
) -> LinkedMention:
    """A row with its post. Raises: DataError if the post, or the mention in it, is not there."""
    where = f"{links} row {number + 1}"
    advice = f"give the file that {links.name} was made of"
    post = by_id.get(row["post_id"])
    if not isinstance(post, Post):
        raise DataError(f"{where}: {posts} has no post {row['post_id']!r}; {advice}")
    wanted = (row["mention"], row["start"], row["end"])
    # Of a post that states none, the mentions are those that were found.
    stated = post.mentions or (Mention(*wanted),)
    mention = next((each for each in stated if (each.text, each.start, each.end) == wanted), None)
    if mention is None:
        raise DataError(f"{where}: post {post.post_id!r} of {posts} has no mention {row['mention']!r}; {advice}")
    place = find_place(mention, post.text)
    best = {key: row[key] for key in ("entity_id", "name", "score", "probability")}
    others = row["runners_up"] or ()
    if None in best.values() and not (row["nil"] and others):
        raise DataError(f"{where}: a link without entity, name, score or probability; link the posts again")
    return LinkedMention(
        row=number,
        post=post,
        mention=mention.text,
        place=place if isinstance(place, Place) else None,
        unplaced=place if isinstance(place, str) else "",
        candidates=tuple(Candidate(**each) for each in (others if row["nil"] else (best, *others))),
        image=row["image"] or "none",
        entity_type=mention.entity_type,
    )
