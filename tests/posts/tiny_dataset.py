"""A data set small enough to read at a glance."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

WriteDataset = Callable[..., Path]


def mention(mention_id: str, text: str, entity: str | None, **rest: Any) -> dict[str, Any]:
    return {"id": mention_id, "mention": text, "entity": entity, **rest}


def post(post_id: str, text: str, *mentions: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"id": post_id, "text": text, "image": None, "split": "train", "mentions": list(mentions), **rest}


POSTS = [
    post("p1", "The Jaguar slept", mention("m1", "Jaguar", "Q35694", start=4, end=10), image="images/a.png"),
    post("p2", "Jaguar beats Jaguar", mention("m2", "Jaguar", "Q30055"), split="dev"),
    post("p3", "A nice car", mention("m3", "Jaguar", None), split="test", caption="a green car"),
]
ENTITIES = [
    {"id": "Q35694", "label": "Jaguar", "type": "animal", "aliases": ["Panthera onca"], "popularity": 7},
    {"id": "Q30055", "label": "Jaguar", "type": "car maker"},
]
