"""Links on disk: one row a mention, as Parquet or JSON lines; a post that was refused keeps its row and reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import polars as pl

from gemel.core.drafts import whole_file
from gemel.core.errors import GemelError, RequestError
from gemel.core.schema import Link, Post
from gemel.posts.requests import RefusedLine

if TYPE_CHECKING:
    from gemel.predictor import Linker

CANDIDATE = {"entity_id": pl.String, "name": pl.String, "score": pl.Float64, "probability": pl.Float64}
SCHEMA: dict[str, Any] = {
    "post_id": pl.String,
    "mention": pl.String,
    "start": pl.Int64,
    "end": pl.Int64,
    **CANDIDATE,
    "runners_up": pl.List(pl.Struct(CANDIDATE)),
    "nil": pl.Boolean,
    "nil_probability": pl.Float64,
    "sure": pl.Boolean,
    "image": pl.String,
    "notes": pl.List(pl.String),
    "error": pl.String,
}
FORMATS = (".parquet", ".jsonl")
NO_MENTION = "no mention was found in the text"


def link_rows(
    linker: Linker, requests: Sequence[Post | RefusedLine], results: int | None = None, at_once: int = 256
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Link requests, some at a time: the place of each among the requests, and its rows, one a mention.

    Posts with equal mentions are linked together, as they share their demonstrations. A line that was refused before,
    or a post that can't be linked, has one row with the reason; one that has no mention, a row that notes it. results:
    candidates of each mention; None: all.
    """
    order = sorted(range(len(requests)), key=lambda place: _mentions(requests[place]))
    for start in range(0, len(order), at_once):
        places = order[start : start + at_once]
        some = [requests[place] for place in places]
        linked = link_or_refuse(linker, [post for post in some if _has_mentions(post)], results)
        for place, request in zip(places, some, strict=True):
            if isinstance(request, Post) and not request.mentions:
                yield place, [unmentioned_row(request)]
                continue
            found = request if isinstance(request, RefusedLine) else next(linked)
            if isinstance(found, RefusedLine):
                yield place, [dict.fromkeys(SCHEMA) | {"post_id": found.post_id, "error": found.reason}]
            else:
                yield place, [link_row(link) for link in found]


def link_row(link: Link) -> dict[str, Any]:
    """One link as a flat row: the answer, then the runners-up. Of a NIL answer all candidates are runners-up."""
    found = [asdict(candidate) for candidate in link.candidates]
    best, others = (dict.fromkeys(CANDIDATE), found) if link.nil else (found[0], found[1:])
    return {
        "post_id": link.post_id,
        "mention": link.mention.text,
        "start": link.mention.start,
        "end": link.mention.end,
        **best,
        "runners_up": others,
        "nil": link.nil,
        "nil_probability": link.nil_probability,
        "sure": link.sure,
        "image": link.image,
        "notes": list(link.notes),
        "error": None,
    }


def unmentioned_row(post: Post) -> dict[str, Any]:
    """The row of a post in which no mention was found."""
    return dict.fromkeys(SCHEMA) | {"post_id": post.post_id, "notes": [NO_MENTION]}


def _has_mentions(request: Post | RefusedLine) -> TypeGuard[Post]:
    return isinstance(request, Post) and bool(request.mentions)


def _mentions(request: Post | RefusedLine) -> list[str]:
    return [mention.text for mention in request.mentions] if isinstance(request, Post) else []


def link_or_refuse(linker: Linker, posts: Sequence[Post], results: int | None) -> Iterator[list[Link] | RefusedLine]:
    """The links of each post, or why it can't be linked: one must not take the others with it, so halves find it.

    results: candidates of each mention; None: all.
    """
    try:
        links = iter(linker.link(posts, results))
    except RequestError as error:
        if len(posts) == 1:
            yield RefusedLine(posts[0].post_id, str(error))
        else:
            middle = len(posts) // 2
            yield from link_or_refuse(linker, posts[:middle], results)
            yield from link_or_refuse(linker, posts[middle:], results)
    else:
        for post in posts:
            yield [next(links) for _ in post.mentions]


def check_format(path: Path) -> None:
    """Refuse an output file that isn't one of FORMATS, before any work is done.

    Raises: RequestError.
    """
    if path.suffix not in FORMATS:
        raise RequestError(f"{path}: links are written as {' or '.join(FORMATS)}; found {path.suffix or 'no ending'!r}")
    if not path.parent.is_dir():
        raise RequestError(f"{path}: the folder {path.parent} does not exist; make it first")


def write_links(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Write rows whole or not at all.

    Raises: GemelError if the file can't be written.
    """
    check_format(path)
    try:
        with whole_file(path) as draft:
            if path.suffix == ".parquet":
                pl.DataFrame(list(rows), schema=SCHEMA).write_parquet(draft)
            else:
                text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GemelError(f"{path}: can't be written ({error})") from error
