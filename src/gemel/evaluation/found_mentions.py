"""Mentions that are found in the text, against those that are given: spans alone, and spans with their entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from gemel.core.schema import Mention
from gemel.evaluation.names import FULL
from gemel.evaluation.predictions import hits_of
from gemel.evaluation.statistics import Figure, Hits, ratio
from gemel.mentions.finder import MentionFinder
from gemel.posts.tables import Tables


def found_figures(finder: MentionFinder, tables: Tables, split: str, predictions: pl.DataFrame) -> dict[str, object]:
    """Precision, recall and F1 of a split, with 95 % bootstrap intervals over its posts, and counts.

    predictions: of all splits. A found span is right if a mention is given with the same offsets, or, where the offsets
    of a given one aren't known, with the same string; NIL mentions are given ones too. End to end it is right if
    moreover the linker's first answer for it is the gold entity, in the mean over the seeds; recall is that of the
    graded mentions. A found span that isn't given is wrong, whatever it would be linked to, so it is not linked.
    """
    posts = tables.posts.filter(pl.col("split") == split)
    spans = {post_id: finder.find(text) for post_id, text in posts.select("post_id", "text").iter_rows()}
    given = tables.mentions.filter(pl.col("split") == split)
    found = _counts(spans)
    right, graded = _graded(predictions.filter(pl.col("split") == split), given, spans)
    figures = {
        **span_figures(spans, given),
        "end_to_end_precision": ratio(right, found),
        "end_to_end_recall": ratio(right, graded),
        "end_to_end_f1": ratio(2 * right, found + graded),
    }
    counts = {"posts": len(spans), "found": int(found.sum()), "given": given.height}
    return _as_dicts(figures) | {"counts": counts | {"posts_without_a_find": int((found == 0).sum())}}


def span_figures(spans: Mapping[str, Sequence[Mention]], given: pl.DataFrame) -> dict[str, Figure | None]:
    """Precision, recall and F1 of spans alone. spans: of every post, by its id. given: the mentions of these posts."""
    found, posts = _counts(spans), given["post_id"].to_list()
    matched = _per_post(_matched(given, spans)[None], posts, spans)
    wanted = _per_post(np.ones((1, given.height)), posts, spans)[0]
    return {
        "span_precision": ratio(matched, found),
        "span_recall": ratio(matched, wanted),
        "span_f1": ratio(2 * matched, found + wanted),
    }


def _counts(spans: Mapping[str, Sequence[Mention]]) -> Hits:
    return np.array([len(each) for each in spans.values()], dtype=np.float64)


def _as_dicts(figures: Mapping[str, Figure | None]) -> dict[str, object]:
    return {name: figure.as_dict() if figure else None for name, figure in figures.items()}


def _graded(
    predictions: pl.DataFrame, given: pl.DataFrame, spans: Mapping[str, Sequence[Mention]]
) -> tuple[Hits, Hits]:
    """Of each post the graded mentions that were found and answered rightly, (seeds, posts), and all, (posts,)."""
    full = predictions.filter(pl.col("variant") == FULL)
    mention_ids = full.filter(pl.col("seed") == full["seed"].first())["mention_id"].to_list()
    post_of = dict(given.select("mention_id", "post_id").iter_rows())
    hit_of = dict(zip(given["mention_id"], _matched(given, spans), strict=True))
    posts = [post_of[mention_id] for mention_id in mention_ids]
    was_found = np.array([hit_of[mention_id] for mention_id in mention_ids])
    right = _per_post(hits_of(predictions, FULL, 1) * was_found, posts, spans)
    return right, _per_post(np.ones((1, len(posts))), posts, spans)[0]


def _matched(given: pl.DataFrame, spans: Mapping[str, Sequence[Mention]]) -> Hits:
    """1 where a given mention was found, (mentions,); each found span is that of one mention."""
    left = {post_id: list(found) for post_id, found in spans.items()}
    matched = np.zeros(given.height)
    for row, (post_id, mention, start) in enumerate(given.select("post_id", "mention", "start").iter_rows()):
        for found in left[post_id]:
            if found.text == mention and start in (None, found.start):
                matched[row] = 1
                left[post_id].remove(found)
                break
    return matched


def _per_post(values: Hits, posts: Sequence[str], spans: Mapping[str, object]) -> Hits:
    """Sums over the mentions of each post, (rows, posts), in the order of spans.

    values: (rows, mentions). posts: of each mention.
    """
    place_of = {post_id: place for place, post_id in enumerate(spans)}
    places = np.array([place_of[post_id] for post_id in posts], dtype=np.int64)
    return np.stack([np.bincount(places, weights=row, minlength=len(place_of)) for row in values])
