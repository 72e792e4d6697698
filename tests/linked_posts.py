"""Links and the posts that they were found in, written by hand: what audits and exports read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.core.schema import Candidate, Link, Mention
from gemel.interchange.rows import LinkedPosts, read_linked
from gemel.links import SCHEMA, link_row, write_links

CAR = Candidate("Q30055", "Jaguar Cars", -0.1, 0.6)
CAT = Candidate("Q35694", "Jaguar", -0.6, 0.3)
OWN = Candidate("kb:7 a", "Jaguar (boat)", -2.0, 0.1)
TITLE = Candidate("enwiki:São Paulo", "São Paulo", -0.2, 0.97)
# id, text, mention with its offsets, candidates
KINDS: tuple[tuple[str, str, dict[str, Any], tuple[Candidate, ...]], ...] = (
    ("once", "🐆 the Jaguar\nslept", {"mention": "Jaguar"}, (CAR, CAT, OWN)),
    ("offsets", "Jaguar or Jaguar", {"mention": "Jaguar", "start": 10, "end": 16}, (CAT, CAR)),
    ("twice", "Jaguar or Jaguar", {"mention": "Jaguar"}, (CAT, CAR)),
    ("absent", "On the river", {"mention": "Jaguar"}, (OWN, CAR)),
    ("shifted", "The Jaguar slept", {"mention": "Jaguar", "start": 3, "end": 9}, (CAR,)),
    ("whole", "Sampa", {"mention": "Sampa"}, (TITLE,)),
)


@dataclass(frozen=True)
class LinkedFiles:
    """A file of links and the file of posts that they are of."""

    links: Path
    posts: Path

    def read(self) -> LinkedPosts:
        """Both together."""
        return read_linked(self.links, self.posts)


def write_linked(folder: Path, kinds: Sequence[Any] = KINDS, ending: str = ".parquet") -> LinkedFiles:
    """Write posts of a kind each, the first of them with an image, then a line that is no post; and their links."""
    posts, rows = [], []
    for number, (post_id, text, mention, candidates) in enumerate(kinds):
        image = "photos/a b.png" if number == 0 else None
        posts.append({"id": post_id, "text": text, "mentions": [mention], "image": image})
        asked = Mention(mention["mention"], mention.get("start"), mention.get("end"))
        rows.append(link_row(Link(post_id, asked, candidates, "read" if image else "none")))
    posts.append({"id": "bad", "text": "no mention"})
    rows.append(dict.fromkeys(SCHEMA) | {"post_id": "bad", "error": "mentions: expected a list"})
    files = LinkedFiles(folder / f"links{ending}", folder / "posts.jsonl")
    files.posts.write_text("".join(json.dumps(post) + "\n" for post in posts), encoding="utf-8")
    write_links(rows, files.links)
    return files


def many(count: int) -> list[Any]:
    """Kinds of as many posts, each with one sure link to the car maker."""
    return [(f"p{number}", "The Jaguar slept", {"mention": "Jaguar"}, (CAR, CAT)) for number in range(count)]
