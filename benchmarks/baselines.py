"""The baselines of the text alone on WikiMEL's real text, at full size: exact names, prior, BM25 and dense.

The data goes through the project's own import into a temporary project, and the baselines are those of the stage
`baselines`. Accuracy and Hits@k are of the test split, with 95 % bootstrap intervals over mentions. WikiMEL has no
descriptions, so that the dense one sees an entity's name alone. Ties go by popularity: the mentions in train.
`--quick` takes 256 of the mentions and a catalog of 1,000 entities, so that its shares are higher and mean nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.processes import peak_bytes
from gemel.baselines.text import TEXT_BASELINES
from gemel.entities.catalog import unique_names
from gemel.evaluation.grading import Graded, graded
from gemel.evaluation.predictions import hits_of, prediction_table
from gemel.evaluation.statistics import share
from gemel.posts.dataset import read_dataset
from gemel.posts.tables import Tables, build_tables
from gemel.posts.wikimel import import_wikimel
from gemel.retrieval.encoder import MINILM, load_embed

WITHIN = (1, 5, 10, 16)
QUICK_MENTIONS, QUICK_ENTITIES = 256, 1_000


def read_tables(folder: Path) -> Tables:
    """The tables of WIKIMEL_{train,dev,test}.json."""
    with tempfile.TemporaryDirectory() as project:
        source = Path(project) / "source"
        source.mkdir()
        # Not the folder itself: another file in it would be taken for a part of the data set.
        for split in ("train", "dev", "test"):
            shutil.copyfile(folder / f"WIKIMEL_{split}.json", source / f"WIKIMEL_{split}.json")
        import_wikimel(source, Path(project) / "data" / "wikimel", None)
        rows = read_dataset(Path(project) / "data" / "wikimel")
        return build_tables(rows, unique_names(rows.entities).entities)


def cut(tables: Tables, mentions: Graded) -> tuple[Tables, Graded]:
    """A part of the mentions, and a catalog that has their entities and others."""
    some = mentions.table.sample(QUICK_MENTIONS, seed=0)
    golds = tables.entities.filter(pl.col("entity_id").is_in(some["entity_id"].to_list()))
    others = tables.entities.join(golds, on="entity_id", how="anti").head(QUICK_ENTITIES - golds.height)
    entities = pl.concat([golds, others])
    kept = dataclasses.replace(
        tables,
        entities=entities,
        names=tables.names.join(entities, on="entity_id", how="semi"),
        mentions=tables.mentions.join(entities, on="entity_id", how="semi"),
    )
    return kept, dataclasses.replace(mentions, table=some)


def measure(name: str, tables: Tables, mentions: Graded) -> dict[str, float]:
    """One baseline: its hits, and the time that it takes."""
    start = time.perf_counter()
    baseline = TEXT_BASELINES[name](tables, lambda: load_embed(MINILM), max(WITHIN))
    ready = time.perf_counter()
    answers = baseline.answer(mentions)
    end = time.perf_counter()
    predictions = prediction_table(mentions, "test", name, 0, answers)
    report: dict[str, float] = {"answered": sum(bool(answer.candidates) for answer in answers)}
    for within in WITHIN:
        figure = share(hits_of(predictions, name, within))
        assert figure is not None
        hits = "accuracy" if within == 1 else f"hits_at_{within}"
        report |= {hits: figure.mean, f"{hits}_low": figure.low, f"{hits}_high": figure.high}
    return report | {"ready_s": ready - start, "answer_s": end - ready, "mentions_per_s": len(answers) / (end - ready)}


def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Every baseline by name, and what they were run on."""
    start = time.perf_counter()
    tables = read_tables(folder)
    mentions = graded(tables.mentions, tables.posts, "test")
    if quick:
        tables, mentions = cut(tables, mentions)
    report: dict[str, Any] = {"import_s": time.perf_counter() - start}
    report |= {name: measure(name, tables, mentions) for name in TEXT_BASELINES}
    return report | {
        "mentions": mentions.table.height,
        "entities": tables.entities.height,
        "peak_gib": peak_bytes() / 2**30,
        "sentence_transformers": version("sentence-transformers"),
        "rank_bm25": version("rank-bm25"),
    }


def print_table(report: dict[str, Any]) -> None:
    """Show a report to people."""
    title = f"{report['mentions']:,} mentions, {report['entities']:,} entities, peak {report['peak_gib']:.2f} GiB"
    table = Table("baseline", "accuracy", "hits@5", "@10", "@16", "answered", "ready, s", "mentions/s", title=title)
    for name in TEXT_BASELINES:
        found = report[name]
        hits = ("accuracy", "hits_at_5", "hits_at_10", "hits_at_16")
        shares = [f"{found[at]:.1%} ({found[f'{at}_low']:.1%}–{found[f'{at}_high']:.1%})" for at in hits]
        speed = (f"{found['ready_s']:.1f}", f"{found['mentions_per_s']:,.0f}")
        table.add_row(name, *shares, f"{found['answered']:,}", *speed)
    Console(width=160).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions-from", type=Path, required=True, help="folder of WIKIMEL_{train,dev,test}.json")
    parser.add_argument("--quick", action="store_true", help="256 mentions and 1,000 entities")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    settings = parser.parse_args()
    report = run(settings.mentions_from, quick=settings.quick)
    print_table(report)
    if settings.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
