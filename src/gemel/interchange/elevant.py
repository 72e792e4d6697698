"""ELEVANT's "simple JSONL" of predictions: a line for each post, in the benchmark's order, whether linked or not.

The reader is ELEVANT's SimpleJsonlPredictionReader (https://github.com/ad-freiburg/elevant): predictions with
entity_reference, start_char, end_char and candidates. It matches lines to articles by their order alone, so the order
of the posts is kept; title and text are there for people.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from gemel.core.schema import Post
from gemel.interchange.rows import LinkedMention, Place
from gemel.interchange.uris import entity_uri


def elevant_rows(posts: Iterable[Post], mentions: Iterable[LinkedMention], base: str) -> Iterator[dict[str, Any]]:
    """The lines of all posts. base: beginning of the URIs of entities that have none of their own."""
    by_post = defaultdict(list)
    for each in mentions:
        if each.place is not None:
            by_post[each.post.post_id].append(_prediction(each, each.place, base))
    for post in posts:
        yield {"title": post.post_id, "text": post.text, "predictions": by_post[post.post_id]}


def _prediction(each: LinkedMention, place: Place, base: str) -> dict[str, Any]:
    references = [entity_uri(candidate.entity_id, base) for candidate in each.candidates]
    return {
        "entity_reference": references[0],
        "start_char": place.start,
        "end_char": place.end,
        "candidates": references,
    }
