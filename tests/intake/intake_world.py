"""A project with a data set of a few posts, and ways to drop batches and say corrections."""

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from gemel.changes.corrections import correction_row
from gemel.core.schema import Mention
from gemel.intake.batch import Batch, gather
from gemel.intake.settings import CapSettings, IntakeSettings, SuspicionSettings

NOW = 1_800_000_000.0
# Shares of a data set of nine posts say nothing.
OPEN = CapSettings(share=1)
ENTITIES = [
    {"id": "Q1", "label": "Jaguar", "type": "animal"},
    {"id": "Q2", "label": "Jaguar Cars", "type": "company"},
    {"id": "Q3", "label": "Paris", "type": "city"},
    {"id": "Q4", "label": "Anna Hart", "type": "person"},
]
TRAIN = ["A Jaguar slept", "Her Jaguar broke down", "Wild Jaguar by night", "The Jaguar at the river"]


def picture(grey: int = 90) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (grey, grey, grey)).save(file, "png")
    return file.getvalue()


def row(id_: str, text: str, entity: str | None = "Q1", mention: str = "Jaguar", **rest: Any) -> dict[str, Any]:
    return {"id": id_, "text": text, "mentions": [{"id": f"m-{id_}", "mention": mention, "entity": entity}], **rest}


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows))


def make_project(root: Path) -> Path:
    folder = root / "data/tiny"
    posts = [row(f"p{place}", text, "Q2" if "Her" in text else "Q1", split="train") for place, text in enumerate(TRAIN)]
    posts += [
        row("p8", "A frozen Jaguar", "Q1", split="test", image="images/test.png"),
        row("p9", "The Jaguar of dev", "Q2", split="dev"),
        row("p7", "This Jaguar was seen", "Q1", split="train", image="images/train.png"),
    ]
    write_lines(folder / "posts.jsonl", posts)
    write_lines(folder / "entities.jsonl", ENTITIES)
    (folder / "dataset.json").write_text('{"name": "tiny", "format": 1}\n')
    (folder / "images").mkdir()
    (folder / "images/test.png").write_bytes(picture(10))
    (folder / "images/train.png").write_bytes(picture(20))
    return root


def drop(
    root: Path,
    rows: Iterable[Mapping[str, Any]],
    source: str = "wire",
    batch: str = "b1",
    entities: Iterable[Mapping[str, Any]] = (),
    images: Mapping[str, bytes] | None = None,
    vouched: bool = True,
) -> Path:
    folder = root / ".gemel/drop" / source / batch
    write_lines(folder / "posts.jsonl", rows)
    if entities := list(entities):
        write_lines(folder / "entities.jsonl", entities)
    for name, content in (images or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if vouched:
        vouch(folder)
    return folder


def vouch(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "batch.json"]
    hashes = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (folder / "batch.json").write_text(json.dumps({"files": hashes}))


def aged(folder: Path, seconds: float) -> Path:
    """The batch with all dates so long before NOW."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (NOW - seconds, NOW - seconds))
    return folder


def correction(
    text: str, entity: str | None = "Q2", at: int = 0, mention: str = "Jaguar", image: bytes | None = None
) -> dict[str, Any]:
    """A line of feedback.jsonl. at: seconds after midnight."""
    name = None if image is None else f"images/{hashlib.sha256(image).hexdigest()}.png"
    facts = {"release": "abc", "answered": "Q1", "comment": "", "request_id": "r", "image_bytes": len(image or b"")}
    time = f"2026-11-22T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}.000+00:00"
    return correction_row(text, Mention(mention, entity_id=entity), name, "a test") | facts | {"time": time}


def say(root: Path, *lines: Mapping[str, Any], image: bytes | None = None) -> Path:
    folder = root / ".gemel/feedback"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "feedback.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    if image is not None:
        (folder / "images").mkdir(exist_ok=True)
        (folder / f"images/{hashlib.sha256(image).hexdigest()}.png").write_bytes(image)
    return folder


def settings(caps: CapSettings = OPEN, suspicion: SuspicionSettings | None = None, **rest: Any) -> IntakeSettings:
    return IntakeSettings(caps=caps, suspicion=suspicion or SuspicionSettings(), **rest)


def gathered(root: Path, chosen: IntakeSettings | None = None, **rest: Any) -> Batch:
    return gather(root, root / "data", "tiny", chosen or settings(), now=NOW, **rest)


def ids(batch: Batch) -> list[str]:
    return [each.id for each in batch.rows]


def why(batch: Batch) -> list[tuple[str, str]]:
    """Rules and reasons of the rows that don't come in."""
    return [(each.rule, each.reason) for each in (*batch.quarantined, *batch.rejected)]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
