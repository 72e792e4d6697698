"""Lines of posts and entities as an intake reads them, and what two of them must agree in to be the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from gemel.core.schema import Split
from gemel.posts.mentions import find_mention
from gemel.posts.rows import EntityLine, MentionLine, PostLine, reason

WORDS = re.compile(r"\w+")


class SourcedLine(PostLine):
    """A line of posts.jsonl that may lack its split. source: what it came by; only a string counts."""

    split: Split = "train"
    source: Any = None


def post_row(line: PostLine, *, leave_out: bool = False) -> dict[str, Any]:
    """A post as a line of posts.jsonl has it, without image and source.

    leave_out: the mentions that can't be used, as the stage posts does.
    Raises: ValueError, naming the mention, if one can't be used.
    """
    mentions = []
    for number, entry in enumerate(line.mentions, start=1):
        try:
            mentions.append(_mention_row(entry, number, line.text))
        except ValueError:
            if not leave_out:
                raise
    known = {"id": line.id, "text": line.text, "split": line.split, "mentions": mentions}
    more = {"caption": line.caption, "topic": line.topic}
    return known | {key: value for key, value in more.items() if value is not None}


def entity_row(line: EntityLine) -> dict[str, Any]:
    """An entity as a line of entities.jsonl has it, without what is empty."""
    return {key: value for key, value in line.model_dump(exclude_none=True).items() if value not in ("", [])}


def content_of(row: Mapping[str, Any], sha256: str | None) -> tuple[object, ...]:
    """What two posts of one id must agree in to be the same; the split is not part of it. sha256: of the image."""
    mentions = tuple((each["id"], *solved(each)) for each in row["mentions"])
    return (row["text"], row.get("caption"), row.get("topic"), sha256, mentions)


def solved(mention: Mapping[str, Any]) -> tuple[object, ...]:
    """A mention's string, place and entity."""
    return (mention["mention"], mention.get("start"), mention["entity"])


def words_of(text: str) -> str:
    """A text as it is compared with others: its words in lower case, without punctuation and odd forms of letters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(WORDS.findall(plain)) or " ".join(plain.split())


def string_of(mention: Mapping[str, Any]) -> str:
    """A mention's string as it is compared with others."""
    return str(mention["mention"]).casefold()


def _mention_row(entry: Any, number: int, text: str) -> dict[str, Any]:
    try:
        mention = MentionLine.model_validate(entry)
        start, end, _ = find_mention(mention, text)
    except ValueError as error:
        why = reason(error) if isinstance(error, ValidationError) else str(error)
        raise ValueError(f"mention {number}: {why}") from None
    row = {"id": mention.id, "mention": mention.mention, "entity": mention.entity}
    return row if start is None else row | {"start": start, "end": end}
