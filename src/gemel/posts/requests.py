"""Posts to link, from a JSON-lines file: what a user hands to `gemel link`.

One object a line: {"text": …, "mentions": ["Jaguar", {"mention": "Amazon", "start": 4, "end": 10}], "image": "a.jpg",
"id": …}; image and id are optional, an image's path starts from the file's folder. A mention may state what it is to be
chosen among: "candidates": ["Q30055", …], "type": "company". posts.jsonl of a data set has this form too. A post may
state no mentions where they are found in its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from gemel.core.errors import RequestError
from gemel.core.image_files import with_slashes
from gemel.core.schema import Mention, Post
from gemel.posts.rows import without_repeats
from gemel.posts.source_lines import WHITE_SPACE, all_lines


@dataclass(frozen=True)
class RefusedLine:
    """A line that is no post. post_id: its id, where one could be read, else "line N"."""

    post_id: str
    reason: str


def read_requests(path: Path, *, unmentioned: bool = False) -> Iterator[Post | RefusedLine]:
    """Read the posts of a file, in order, a line at a time. A line that can't be used comes back with the reason.

    unmentioned: whether a post may state no mentions.
    Raises: DataError if the file can't be read or is UTF-16 text.
    """
    for line in all_lines(path, wanted="give a JSON-lines file of posts, or --text and --mention"):
        text = line.text.strip(WHITE_SPACE)
        if not text:
            continue
        name = f"line {line.number}"
        try:
            if line.broken is not None:
                raise ValueError(line.broken)
            row = _parsed(text)
            name = str(row["id"]) if isinstance(row, dict) and row.get("id") is not None else name
            post = parse_request(row, name, path.parent, unmentioned=unmentioned)
        except (ValueError, RequestError) as error:
            yield RefusedLine(name, f"{path} line {line.number}: {error}")
        else:
            yield post


def parse_request(row: object, post_id: str, folder: Path, *, unmentioned: bool = False) -> Post:
    """Turn one object into a post. folder: where its image's path starts. unmentioned: as read_requests.

    Raises: RequestError if a key is missing or of the wrong type, or there is nothing to link.
    """
    if not isinstance(row, dict):
        raise RequestError(f"expected an object with text and mentions, found {type(row).__name__}")
    text, mentions, image = row.get("text"), row.get("mentions"), row.get("image")
    if not isinstance(text, str) or not text.strip():
        raise RequestError(f"text: expected a sentence, found {text!r}")
    if unmentioned and mentions is None:
        mentions = []
    if not isinstance(mentions, list) or not (mentions or unmentioned):
        raise RequestError(f"mentions: expected a list of strings to link, found {mentions!r}")
    if image is not None and not isinstance(image, str):
        raise RequestError(f"image: expected a path or null, found {image!r}")
    place = folder / with_slashes(image) if image else None
    return Post(text, tuple(_mention(one) for one in mentions), place, post_id)


def _parsed(text: str) -> Any:
    """Raises: ValueError if the text is no JSON, or a key occurs twice in one object."""
    try:
        # It refuses halves of characters and deep nesting, which json.loads would let through or die of.
        row = from_json(text)
    except ValueError as error:
        raise ValueError(f"Invalid JSON: {error}") from None
    json.loads(text, object_pairs_hook=without_repeats)
    return row


def _mention(value: Any) -> Mention:
    if isinstance(value, str):
        value = {"mention": value}
    text = value.get("mention") if isinstance(value, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise RequestError(f"mentions: expected a string or an object with a mention, found {value!r}")
    for key, kind, words in (("start", int, "a number"), ("end", int, "a number"), ("entity", str, "an id")):
        given = value.get(key)
        if given is not None and type(given) is not kind:
            raise RequestError(f"{key}: expected {words} or null, found {given!r}")
    candidates, entity_type = value.get("candidates") or [], value.get("type") or ""
    if not isinstance(candidates, list) or not all(isinstance(each, str) for each in candidates):
        raise RequestError(f"candidates: expected a list of entity ids, found {candidates!r}")
    if not isinstance(entity_type, str):
        raise RequestError(f"type: expected the type of the entities to choose among, found {entity_type!r}")
    start, end, entity_id = value.get("start"), value.get("end"), value.get("entity")
    return Mention(text, start, end, entity_id, tuple(candidates), entity_type)
