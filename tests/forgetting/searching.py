"""A search of its own, that shares nothing with what it judges."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl


def holding(root: Path, texts: tuple[str, ...], ids: tuple[str, ...], contents: tuple[bytes, ...] = ()) -> list[str]:
    """Files below a folder, git's own apart, that hold a text, an id as a word, or some bytes."""
    words = re.compile("|".join([*map(re.escape, texts), *(rf"(?<![\w.-]){re.escape(id_)}(?![\w-])" for id_ in ids)]))
    return [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts and _holds(path, words, contents)
    ]


def _holds(path: Path, words: re.Pattern[str], contents: tuple[bytes, ...]) -> bool:
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        return any(words.search(value) for value in _strings(pl.read_parquet(path).rows()))
    return any(content in data for content in contents) or words.search(data.decode("utf-8", "replace")) is not None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _strings(part)
