"""A way to write variants of the tiny data set."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_dataset import ENTITIES, POSTS, WriteDataset


@pytest.fixture
def write_dataset(tmp_path: Path) -> WriteDataset:
    """Write a data set from posts and entities, given as objects or as raw lines."""

    def write(posts: list[Any] = POSTS, entities: list[Any] = ENTITIES, facts: Any = None) -> Path:
        folder = tmp_path / "data" / "tiny"
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), "red").save(folder / "images" / "a.png")
        for name, rows in (("posts.jsonl", posts), ("entities.jsonl", entities)):
            lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
            (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
        content = {"name": "tiny", "format": 1} if facts is None else facts
        (folder / "dataset.json").write_text(json.dumps(content))
        return folder

    return write
