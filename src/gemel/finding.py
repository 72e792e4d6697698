"""Mentions of posts that state none: found in their text, by the finder that a user names."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl

from gemel.bundle import ENTITIES
from gemel.core.artifacts import read_manifest
from gemel.core.errors import RequestError
from gemel.core.schema import Post
from gemel.mentions.dictionary import DictionaryFinder
from gemel.mentions.finder import MentionFinder
from gemel.mentions.spacy_pipeline import SpacyFinder
from gemel.posts.requests import RefusedLine
from gemel.tasks.linking.demonstrations import read_corpus

GIVEN, AUTO, SPACY = "given", "auto", "spacy:"


def make_finder(how: str, release: Path) -> MentionFinder | None:
    """The finder of a name: "auto" for the dictionary of a release, "spacy:MODEL" for a pipeline; None for "given".

    Raises: RequestError if there is no such finder. ArtifactError if the release is absent. BackboneError if the
    pipeline can't be had.
    """
    if how == GIVEN:
        return None
    if how == AUTO:
        read_manifest(release, "release")
        return DictionaryFinder.of(pl.read_parquet(release / ENTITIES), read_corpus(release))
    model = how.removeprefix(SPACY)
    if model in ("", how):
        raise RequestError(
            f"--mentions {how}: no such finder; known are given, auto and spacy:MODEL, e.g. spacy:en_core_web_sm"
        )
    return SpacyFinder(model)


def with_mentions(post: Post, finder: MentionFinder) -> Post:
    """The post with the mentions of its text, perhaps none; a post that states mentions keeps these.

    Raises: RequestError if its text is empty, or one that the finder can't read.
    """
    if not post.text.strip():
        raise RequestError("text: is empty; give the sentence that the mentions stand in")
    return post if post.mentions else dataclasses.replace(post, mentions=finder.find(post.text))


def with_mentions_or_refused(request: Post | RefusedLine, finder: MentionFinder) -> Post | RefusedLine:
    """As with_mentions, of a line of a file; what can't be read becomes a line that says why."""
    if isinstance(request, RefusedLine):
        return request
    try:
        return with_mentions(request, finder)
    except RequestError as error:
        return RefusedLine(request.post_id, str(error))
