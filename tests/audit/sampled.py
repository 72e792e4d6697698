"""A sample that was drawn in a folder, and its judgement."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linked_posts import write_linked

from gemel.audit.files import SAMPLE, SHEET, TASKS, write_sample
from gemel.audit.judgements import Judgement, Verdict
from gemel.audit.sampling import Frame, Item, Sample, read_sample
from gemel.interchange.label_studio import LOCAL_FILES

FRAME = Frame("links.parquet", "a" * 64, "posts.jsonl", "b" * 64, 1000, 3)


def draw(folder: Path, count: int, kinds: Any = None, **options: Any) -> Path:
    """Draw a sample of links written by hand: its folder."""
    files = write_linked(folder) if kinds is None else write_linked(folder, kinds)
    given = {"seed": 0, "types": {}, "image_url": LOCAL_FILES} | options
    write_sample(files.links, files.posts, folder / "sample", count=count, **given)
    return folder / "sample"


def fill(sample: Path, to: Path, verdicts: Mapping[int, str], annotator: str = "", **right: str) -> Path:
    """Fill the sheet of a sample. verdicts: judgements by place in the sheet. right: right entities, by _PLACE."""
    with (sample / SHEET).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for place, word in verdicts.items():
        rows[place] |= {"judgement": word, "annotator": annotator, "right_entity": right.get(f"_{place}", "")}
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return to


def annotation(by: object, verdict: str | None, right: str = "", other: str = "", cancelled: bool = False) -> Any:
    """An annotation as Label Studio exports it."""
    regions: list[dict[str, Any]] = []
    for name, kind, given in (("judgement", "choices", verdict), ("right_entity", "choices", right)):
        if given:
            regions.append({"from_name": name, "to_name": "text", "type": kind, "value": {kind: [given]}})
    if other:
        value = {"text": [other]}
        regions.append({"from_name": "other_entity", "to_name": "text", "type": "textarea", "value": value})
    regions.append({"from_name": "mention", "to_name": "text", "type": "labels", "value": {"labels": ["Mention"]}})
    return {"id": 1, "completed_by": by, "was_cancelled": cancelled, "result": regions}


def exported(sample: Path, to: Path, annotations: Mapping[int, list[Any]]) -> Path:
    """Label Studio's export of a sample's tasks. annotations: by place among the tasks."""
    tasks = json.loads((sample / TASKS).read_text(encoding="utf-8"))
    done = [
        {"id": 100 + place, "data": task["data"], "annotations": annotations.get(place, [])}
        for place, task in enumerate(tasks)
    ]
    to.write_text(json.dumps(done), encoding="utf-8")
    return to


def sample_in(folder: Path) -> Sample:
    """The record in a sample's folder."""
    return read_sample(folder / SAMPLE)


def sample_of(count: int, **facts: Any) -> Sample:
    """A record of as many items, all alike but for their ids: i0, i1, …"""
    usual = {"entity_id": "Q1", "name": "One", "probability": 0.6, "image": "read", "mention_is_name": False}
    items = tuple(
        Item(item=f"i{row}", row=row, post_id=f"p{row}", mention="one", **(usual | {"entity_type": ""} | facts))
        for row in range(count)
    )
    return Sample("s1", FRAME, 0, items)


def said(item: int, verdict: str, by: str = "anna", right: str = "") -> Judgement:
    """A judgement of an item of sample_of."""
    return Judgement(f"i{item}", by, Verdict(verdict), right, f"{by}.csv row {item + 2}")
