"""Where posts are written down as such: JSON lines of data sets, corrections, feedback and drop folders, the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

POSTS, TABLES = "posts.jsonl", Path("artifacts/posts")
# Lines of these are what people said of a post, under ids of their own.
SAID = frozenset({"feedback.jsonl", "demonstrations.jsonl"})
PLACES = ("data", ".gemel")
ELSEWHERE = (Path(".gemel/runs"), Path(".gemel/releases"), Path(".gemel/forgetting"))


@dataclass(frozen=True)
class Written:
    """A post as one file has it. image: the file that it names, whether that is there or not; None without one.

    sha256: of the image, where the file says so. split: "" where it says none. mentions: their ids.
    """

    post_id: str
    text: str
    file: Path
    image: Path | None = None
    sha256: str | None = None
    split: str = ""
    mentions: tuple[str, ...] = ()

    @property
    def said(self) -> bool:
        """Whether this is what a person said of a post, and no post of its own."""
        return self.file.name in SAID


def written_posts(root: Path) -> Iterator[Written]:
    """Every post that a file of the project has, in the order of the files: data sets, .gemel, tables."""
    for path in source_files(root):
        yield from _posts_of_lines(path)
    yield from _posts_of_tables(root / TABLES)


def source_files(root: Path) -> list[Path]:
    """The files of JSON lines that may have posts."""
    found = [path for place in PLACES for path in sorted((root / place).rglob("*.jsonl"))]
    return [path for path in found if not any(path.is_relative_to(root / each) for each in ELSEWHERE)]


def _posts_of_lines(path: Path) -> Iterator[Written]:
    with path.open("rb") as file:
        for line in file:
            if b"text" not in line:
                continue
            try:
                value = json.loads(line)
            except ValueError:
                # Torn by a kill, or broken; whoever reads the file says so.
                continue
            yield from _posts_in(value, path)


def _posts_in(value: Any, path: Path) -> Iterator[Written]:
    """The posts of a line; a quarantined row may stand inside of its line, as JSON in a string too."""
    if isinstance(value, str) and value[:1] == "{":
        try:
            value = json.loads(value)
        except ValueError:
            return
    if not isinstance(value, dict):
        return
    if isinstance(value.get("id"), str) and isinstance(value.get("text"), str):
        mentions = value.get("mentions")
        ids = [each.get("id") for each in mentions if isinstance(each, dict)] if isinstance(mentions, list) else []
        image = value.get("image")
        yield Written(
            value["id"],
            value["text"],
            path,
            path.parent / image if isinstance(image, str) and image else None,
            split=str(value.get("split") or ""),
            mentions=tuple(each for each in ids if isinstance(each, str)),
        )
    else:
        for part in value.values():
            yield from _posts_in(part, path)


def _posts_of_tables(folder: Path) -> Iterator[Written]:
    """The posts that the stage `posts` made of the data, some of which these may no longer have."""
    posts, mentions = folder / "posts.parquet", folder / "mentions.parquet"
    if not (posts.is_file() and mentions.is_file()):
        return
    of_posts = pl.read_parquet(mentions).group_by("post_id").agg("mention_id")
    table = pl.read_parquet(posts).join(of_posts, on="post_id", how="left", maintain_order="left")
    columns = ("post_id", "text", "split", "image_sha256", "mention_id")
    for post_id, text, split, sha256, ids in table.select(columns).iter_rows():
        yield Written(post_id, text, posts, None, sha256, split, tuple(ids or ()))
