"""The files of an audit: the folder of a sample, judgements of either kind, the result."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from gemel.audit.accuracy import Audit
from gemel.audit.judgements import Judgement
from gemel.audit.label_studio import JUDGING_CONFIG, judging_tasks, read_export
from gemel.audit.sampling import Sample, draw_links, frame_of, make_sample, sample_json
from gemel.audit.spreadsheet import read_sheet, sheet_text
from gemel.core.errors import DataError, RequestError
from gemel.interchange.rows import first_line, read_linked
from gemel.text_folder import write_texts

SAMPLE, TASKS, CONFIG, SHEET = "sample.json", "tasks.json", "labels.xml", "judgements.csv"


def write_sample(
    links: Path, posts: Path, into: Path, *, count: int, seed: int, types: Mapping[str, str], image_url: str
) -> Sample:
    """Draw links and write the folder of the sample: its record, Label Studio's tasks and configuration, a sheet.

    types, image_url: as make_sample and judging_tasks take them.
    Raises: RequestError if the folder is there already or there are too few links; GemelError if it can't be written;
    what read_linked raises.
    """
    if into.exists():
        raise RequestError(f"{into}: is there already, perhaps with judgements in it; give another --out or remove it")
    linked = read_linked(links, posts)
    drawn = draw_links(linked, count, seed)
    sample = make_sample(frame_of(links, posts, linked), seed, drawn, types)
    tasks = list(judging_tasks(sample, drawn, posts.parent, image_url))
    texts = {
        SAMPLE: sample_json(sample),
        TASKS: json.dumps(tasks, ensure_ascii=False, indent=1) + "\n",
        CONFIG: JUDGING_CONFIG,
        # With the mark by which spreadsheet programs know UTF-8.
        SHEET: f"\ufeff{sheet_text(sample, drawn)}",
    }
    write_texts(into, texts)
    return sample


def read_types(path: Path) -> dict[str, str]:
    """Types of entities by id, from the table of entities that the stage `posts` or a release has.

    Raises: DataError if it is missing or no such table.
    """
    try:
        table = pl.read_parquet(path, columns=["entity_id", "entity_type"])
    except (OSError, pl.exceptions.PolarsError) as error:
        advice = "give an entities.parquet, as in artifacts/release"
        raise DataError(f"{path}: no table with entity_id and entity_type ({first_line(error)}); {advice}") from None
    return {row[0]: row[1] for row in table.drop_nulls().iter_rows()}


def read_judgements(paths: Iterable[Path]) -> list[Judgement]:
    """Judgements of all files, by their endings: .json is Label Studio's export, .csv or .tsv a sheet.

    Raises: RequestError if a file has another ending; DataError as its reader does.
    """
    found: list[Judgement] = []
    for path in paths:
        if path.suffix not in (".json", ".csv", ".tsv"):
            raise RequestError(f"{path}: judgements are .json of Label Studio, or .csv; found {path.suffix!r}")
        found += read_export(path) if path.suffix == ".json" else read_sheet(path)
    return found


def audit_facts(audit: Audit) -> dict[str, Any]:
    """The result as JSON takes it; the sample by its id, frame and size alone."""
    sample = audit.sample
    return dataclasses.asdict(audit) | {
        "sample": sample.sample,
        "frame": dataclasses.asdict(sample.frame),
        "seed": sample.seed,
        "interval": "Wilson, 95 %",
        "disagreement": "a link counts as the verdict of most of its annotators; without one, as unsure",
    }
