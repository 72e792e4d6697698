"""The frozen test set: what its posts held when the champion was graded must be what they hold now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gemel.core.errors import DataError
from gemel.posts.dataset import POSTS
from gemel.posts.rows import PostLine, Rows, read_rows

SPLIT = "test"
# What of a mention a change would make another question of.
_ASKED = ("id", "mention", "start", "end", "entity")
NAMED, DIGITS = 5, 16
RESTORE = (
    "a frozen test set may not change: take the change back (`dvc checkout data.dvc`), or, if it is meant, promote the "
    "first release that is graded on it by hand"
)


class SourcedPost(PostLine):
    """A line of posts.jsonl that may say where the post came from."""

    source: str | None = None


@dataclass(frozen=True)
class FrozenTest:
    """The posts of a test set.

    posts: id -> first digits of the SHA-256 over its text, mentions and image. sources: id -> source, of those that
    state one.
    """

    posts: Mapping[str, str]
    sources: Mapping[str, str]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all posts, whatever their order."""
        return _sha256(sorted(self.posts.items()))


def read_frozen_test(data_set: Path, images: Mapping[str, str | None]) -> FrozenTest:
    """Read the test posts as the data set's files state them; its redirects and its catalog change nothing of them.

    images: SHA-256 of the image by post id, of the posts that can be used; others are not asked.
    Raises: DataError if the file can't be read.
    """
    path = data_set / POSTS
    rows = (row for _, row in read_rows(path, SourcedPost, Rows(str(path))))
    found = [row for row in rows if row.split == SPLIT and row.id in images]
    return FrozenTest(
        {row.id: _sha256([row.text, list(map(_asked, row.mentions)), images[row.id]])[:DIGITS] for row in found},
        {row.id: row.source for row in found if row.source},
    )


def expect_frozen(before: Mapping[str, str], now: FrozenTest, where: str) -> None:
    """Refuse a test set that is not the one that the champion was graded on.

    before: its posts, as FrozenTest has them. where: of the test set now, for the error.
    Raises: DataError that names the posts that differ.
    """
    differing = {
        "changed": sorted(post for post in before if now.posts.get(post, before[post]) != before[post]),
        "gone": sorted(before.keys() - now.posts.keys()),
        "new": sorted(now.posts.keys() - before.keys()),
    }
    told = [f"{len(ids)} {what} ({_some(ids)})" for what, ids in differing.items() if ids]
    if told:
        raise DataError(f"{where}: not the test posts that the champion was graded on: {', '.join(told)}; {RESTORE}")


def _asked(mention: Any) -> Any:
    return [mention.get(key) for key in _ASKED] if isinstance(mention, dict) else mention


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
