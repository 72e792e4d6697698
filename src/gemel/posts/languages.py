"""The language of a sample of the posts, told from their texts by py3langid, whose model comes inside its package."""

from __future__ import annotations

import functools
import heapq
import zlib
from typing import Any

import polars as pl

SAMPLE = 10_000  # posts, so that a million cost no more: about a second
LONGEST_TEXT = 1_000  # characters that are looked at
# Below it the library was wrong about one caption in ten of WikiMEL, most of them a name and a year.
LEAST_CONFIDENCE = 0.8
UNDECIDED = "und"
LANGUAGES_SCHEMA = {"post_id": pl.String, "language": pl.String}


def sample_languages(posts: pl.DataFrame, size: int = SAMPLE) -> pl.DataFrame:
    """Tell the language of at most `size` posts, always the same ones: those whose id has the smallest CRC-32.

    Returns: columns post_id and language, the latter an ISO 639 code, or UNDECIDED where a text says too little.
    """
    ids = posts["post_id"].drop_nulls()
    if len(ids) > size:
        ids = pl.Series(heapq.nsmallest(size, ids, key=lambda post_id: (zlib.crc32(post_id.encode()), post_id)))
    sampled = posts.filter(pl.col("post_id").is_in(ids.implode())).select("post_id", "text")
    identifier = _load_identifier()
    found = [(post_id, identifier.classify(text[:LONGEST_TEXT])[0]) for post_id, text in sampled.iter_rows()]
    return pl.DataFrame(found, schema=LANGUAGES_SCHEMA, orient="row")


@functools.cache  # a second to load
def _load_identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=LEAST_CONFIDENCE)
