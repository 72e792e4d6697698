"""The mentions of posts: each is checked against its post's text and kept, or rejected alone."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping

import polars as pl
from pydantic import ValidationError

from gemel.posts.columns import MENTIONS_SCHEMA, Columns, Schema
from gemel.posts.rows import MentionLine, PostLine, Rows, reason

# As MENTIONS_SCHEMA, but for what the post's row says already: `post` is the number of that row.
_SCHEMA: Schema = {
    "mention_id": pl.String,
    "post": pl.Int64,
    "mention": pl.String,
    "start": pl.Int64,
    "end": pl.Int64,
    "occurrences": pl.Int64,
    "entity_id": pl.String,
    "in_kb": pl.Boolean,
}


class MentionReader:
    """Takes the mentions of one post after another.

    rows: counts all mentions and has those that can't be used. redirected: how many gold ids gave way to a living one.
    """

    def __init__(self, source: str, known: Container[str], redirects: Mapping[str, str]) -> None:
        """known: ids of the data set's entities. redirects: old ids with their living ones."""
        self.rows = Rows(source)
        self.redirected = 0
        self._known, self._redirects = known, redirects
        self._kept = Columns(_SCHEMA)

    def read(self, post: PostLine, line: int, row: int) -> None:
        """Check the mentions of a post. line: its line in the file; row: its number among the kept posts, from 0."""
        for entry in post.mentions:
            self.rows.read += 1
            try:
                mention = MentionLine.model_validate(entry)
                span = find_mention(mention, post.text)
                self.rows.claim(mention.id, line)
            except ValueError as error:
                why = reason(error) if isinstance(error, ValidationError) else str(error)
                self.rows.reject(line, json.dumps(entry, ensure_ascii=False), why)
            else:
                entity = self._living(mention.entity)
                self._kept.append(mention.id, row, mention.mention, *span, entity, entity in self._known)

    def table(self, posts: pl.DataFrame) -> pl.DataFrame:
        """The kept mentions, columns as MENTIONS_SCHEMA, with what the table of the posts says of theirs."""
        kept = self._kept.table()
        of_post = posts.select("post_id", "split", "text")[kept["post"]]
        return (
            kept.drop("post")
            .with_columns(*of_post.iter_columns(), in_text=pl.col("occurrences") > 0)
            .select(*MENTIONS_SCHEMA)
        )

    def _living(self, gold: str | None) -> str | None:
        if gold is None or gold not in self._redirects:
            return gold
        self.redirected += 1
        return self._redirects[gold]


def find_mention(mention: MentionLine, text: str) -> tuple[int | None, int | None, int]:
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
        raise ValueError(
            f"span: {start} to {end} of {len(text)} characters, {held} and not the mention {mention!r}"
            f"{_nearest(mention, start, end, text)}"
        )


def _nearest(mention: str, start: int, end: int, text: str) -> str:
    """Say where the mention stands nearest to the span, and whether that is one off."""
    before = text.rfind(mention, 0, max(start, 0) + len(mention))
    after = text.find(mention, max(start, 0))
    found = min((at for at in (before, after) if at >= 0), key=lambda at: abs(at - start), default=None)
    if found is None:
        return ", which is not in the text"
    ends = found + len(mention)
    one_off = " (one off: start counts from 0, end is behind the last character)"
    return f", which stands at {found} to {ends}{one_off if max(abs(found - start), abs(ends - end)) == 1 else ''}"
