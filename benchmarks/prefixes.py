"""Entities by the first letters of a name, in a catalog of a million: the index against scans of all names.

Names are the sample's, recombined to the size asked for (`--names` for others), of Zipf popularity. The scan is what
one would write first: folded names in a list, `startswith`, the best known by `heapq`; the other goes through a column
of polars. Both look at the beginnings of names alone, the index at later words too. `wrong` counts prefixes for which
the first entities are others than the scan's.
"""

from __future__ import annotations

import argparse
import heapq
import os
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.names import read_names, recombine
from benchmarks.output import show
from benchmarks.trie import SAMPLE_NAMES
from gemel.core.entity_columns import ENTITIES_SCHEMA
from gemel.entities.prefixes import PrefixIndex, fold

SIZE, QUICK_SIZE = 1_000_000, 100_000
LENGTHS, LIMIT = (1, 2, 5), 10
LOOKUPS, SCANS = 200, 5
Find = Callable[[str], Sequence[int]]


def catalog_table(names: Sequence[str]) -> pl.DataFrame:
    """Entities with these names, columns as Catalog.table."""
    ranks = np.random.default_rng(0).permutation(len(names)) + 1
    facts = {"entity_id": [f"E{row}" for row in range(len(names))], "name": names, "label": names}
    missing = [pl.lit(None, kind).alias(name) for name, kind in ENTITIES_SCHEMA.items() if name not in facts]
    return pl.DataFrame(facts).with_columns(*missing).with_columns(popularity=1e6 / ranks).select(*ENTITIES_SCHEMA)


def milliseconds(find: Find, prefixes: Sequence[str]) -> float:
    """The median of a lookup."""
    taken = []
    for prefix in prefixes:
        start = time.perf_counter()
        find(prefix)
        taken.append(time.perf_counter() - start)
    return 1_000 * statistics.median(taken)


def scans(table: pl.DataFrame) -> dict[str, Find]:
    """The baselines, with their folded names made."""
    known = table["popularity"].to_list()
    folded = [fold(name) for name in table["name"]]
    column = pl.DataFrame({"name": folded, "known": known}).with_row_index("row")

    def by_list(prefix: str) -> Sequence[int]:
        rows = (row for row, name in enumerate(folded) if name.startswith(prefix))
        return heapq.nsmallest(LIMIT, rows, key=lambda row: -known[row])

    def by_column(prefix: str) -> Sequence[int]:
        found = column.filter(pl.col("name").str.starts_with(prefix))
        return found.top_k(LIMIT, by="known").sort("known", descending=True)["row"].to_list()

    return {"scan": by_list, "column": by_column}


def run(names: Sequence[Path], size: int) -> dict[str, object]:
    """Build the index, then look up the beginnings of random names by each way."""
    texts = recombine(read_names(names), size).texts(0, size)
    table = catalog_table(texts)
    start = time.perf_counter()
    index = PrefixIndex.of(table)
    report: dict[str, object] = {"names": len(texts), "build_s": time.perf_counter() - start, "bytes": index.nbytes}
    baselines, wrong = scans(table), 0
    for length in LENGTHS:
        picks = np.random.default_rng(length).integers(len(texts), size=LOOKUPS).tolist()
        prefixes = [fold(texts[row])[:length] for row in picks]
        ours = milliseconds(lambda prefix: index.find(prefix, LIMIT), prefixes)
        report[f"letters_{length}_ms"] = ours
        for name, find in baselines.items():
            report[f"letters_{length}_{name}_ms"] = theirs = milliseconds(find, prefixes[:SCANS])
            report[f"letters_{length}_{name}_ratio"] = theirs / ours
        for prefix in prefixes[:SCANS]:
            first = baselines["scan"](prefix.strip())
            wrong += list(index.find(prefix, LIMIT))[: len(first)] != list(first)
    machine = {"cores": os.cpu_count(), "numpy": version("numpy"), "polars": version("polars")}
    return report | {"wrong": wrong, "lookups": LOOKUPS, "scans": SCANS} | machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SIZE:,} names")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--names", type=Path, nargs="+", default=[Path(SAMPLE_NAMES)], help="files of names")
    parser.add_argument("--size", type=int, default=SIZE, help="names in the index")
    settings = parser.parse_args()
    report = run(settings.names, QUICK_SIZE if settings.quick else settings.size)
    show(report, "Entities by the first letters", as_json=settings.json)


if __name__ == "__main__":
    main()
