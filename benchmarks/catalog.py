"""Changing a large catalog and its trie: 1,000 entities added, removed and renamed, against a rebuild from the names.

A change is the whole way of the library: the catalog and the trie are read, the change is checked and kept, applied,
and both are written in place of the former ones, hashes included. Each runs in a process of its own, whose libraries
and tokenizer are loaded (`tokenizer_s`). Then every array is compared with that of a trie built anew. Figures that end
with cpu_s are CPU time, for machines with other work; the ratios are of these.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.names import read_names, recombine
from benchmarks.output import show
from benchmarks.processes import alone, peak_bytes
from benchmarks.trie import SAMPLE_NAMES, SAMPLE_TOKENIZER
from gemel.bundle import ENTITIES, TRIE, Contents, write_catalog
from gemel.changes.assembly import with_entity_changes
from gemel.changes.edits import CatalogEditor
from gemel.changes.rows import read_entity_changes, write_entity_changes
from gemel.core.artifacts import new_artifact
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.entities.trie import ARRAYS, read_trie
from gemel.entities.trie_build import NameTokens, build_trie
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA

GIB = 2**30
CHANGED = 1_000
KINDS = ("add", "remove", "rename")
BASE, NAMES = "base", "names.parquet"


class Clock:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self, what: str) -> dict[str, float]:
        """Both by name."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {f"{what}_s": wall, f"{what}_cpu_s": cpu}


def rebuild(names: Sequence[Path], tokenizer: str, size: int, folder: Path) -> dict[str, Any]:
    """Make the base from its names, and keep the tokens of all names that come into play."""
    from gemel.llm.names import tokenize_names
    from gemel.llm.tokens import load_tokenizer

    pairs = recombine(read_names(names), size + 2 * CHANGED)
    texts = pairs.texts(0, size + 2 * CHANGED)
    pl.DataFrame({"name": texts}).write_parquet(folder / NAMES)
    loaded = load_tokenizer(tokenizer)
    clock = Clock()
    tokens = tokenize_names(texts[:size], loaded)
    catalog = Catalog(catalog_of(texts[:size]))
    with new_artifact(folder / BASE, "release", {}) as draft:
        write_catalog(draft, catalog, build_trie(tokens))
    seconds = clock.seconds("rebuild")
    every = NameTokens.joined([tokens, tokenize_names(texts[size:], loaded)])
    np.save(folder / "ids.npy", every.token_ids)
    np.save(folder / "lengths.npy", every.lengths)
    return {"names": size, "tokenizer": Path(tokenizer).name} | seconds


def change(kind: str, tokenizer: str, size: int, folder: Path) -> dict[str, Any]:
    """Change 1,000 entities of the base, in a copy of it."""
    from gemel.llm.names import tokenize_names
    from gemel.llm.tokens import load_tokenizer

    fresh = pl.read_parquet(folder / NAMES)["name"].tail(2 * CHANGED).to_list()
    state = folder / f"changes-{kind}"
    state.mkdir()
    clock = Clock()
    loaded = load_tokenizer(tokenizer)
    loading = clock.seconds("tokenizer")
    clock = Clock()
    base = Contents(
        mapper=folder,
        catalog=Catalog.read(folder / BASE / ENTITIES),
        trie=read_trie(folder / BASE / TRIE),
        demonstrations=pl.DataFrame(schema=CORPUS_SCHEMA),
        vectors={},
    )
    editor = CatalogEditor(base.catalog, (), {})
    edit(editor, kind, places(size), fresh)
    write_entity_changes(state, editor.changes.values())
    changed = with_entity_changes(base, read_entity_changes(state), lambda some: tokenize_names(some, loaded))
    with new_artifact(folder / f"changed-{kind}", "release", {}) as draft:
        write_catalog(draft, changed.contents.catalog, changed.contents.trie)
    return loading | clock.seconds(f"{kind}_1000") | {f"{kind}_peak_gib": peak_bytes() / GIB}


def edit(editor: CatalogEditor, kind: str, chosen: Sequence[int], fresh: Sequence[str]) -> None:
    """Make the edits of one kind. chosen: rows of the base. fresh: names that it lacks."""
    if kind == "add":
        editor.add([Entity(f"N{number}", "", name) for number, name in enumerate(fresh[:CHANGED])])
    elif kind == "remove":
        editor.remove([f"Q{row}" for row in chosen])
    else:
        editor.rename_freely([Entity(f"Q{row}", name) for row, name in zip(chosen, fresh[CHANGED:], strict=True)])


def differences(kind: str, size: int, folder: Path) -> dict[str, Any]:
    """How many arrays of the changed trie differ from those of one that is built anew from the changed names."""
    lengths = np.load(folder / "lengths.npy")
    ids = np.split(np.load(folder / "ids.npy"), np.cumsum(lengths)[:-1])
    tokens_of = dict(zip(pl.read_parquet(folder / NAMES)["name"], ids, strict=True))
    changed = folder / f"changed-{kind}"
    catalog = Catalog.read(changed / ENTITIES)
    kept = [tokens_of[name] for name in catalog.names]
    anew = build_trie(NameTokens(np.concatenate(kept), np.array([len(each) for each in kept], dtype=np.int32)))
    trie = read_trie(changed / TRIE)
    wanted = {"add": size + CHANGED, "remove": size - CHANGED, "rename": size}[kind]
    differ = [name for name in ARRAYS if not _equal(getattr(trie, name), getattr(anew, name))]
    facts = [name for name in ("block", "largest_token") if getattr(trie, name) != getattr(anew, name)]
    return {"differs": len(differ) + len(facts) + abs(len(catalog) - wanted)}


def places(size: int) -> list[int]:
    """The rows of the entities that are removed or renamed."""
    return sorted(np.random.default_rng(0).choice(size, CHANGED, replace=False).tolist())


def catalog_of(names: Sequence[str]) -> pl.DataFrame:
    """A table of entities that have these names."""
    count = len(names)
    columns = {
        "entity_id": [f"Q{row}" for row in range(count)],
        "name": names,
        "label": names,
        "description": ["" if row % 3 else f"the {row}th of its kind" for row in range(count)],
        "entity_type": [("human", "settlement", "film", "species")[row % 4] for row in range(count)],
        "aliases": [[] if row % 5 else [f"alias {row}"] for row in range(count)],
        "popularity": [float(row % 97) for row in range(count)],
    }
    return pl.DataFrame(columns, schema_overrides={"aliases": pl.List(pl.String)})


def measure(names: Sequence[Path], tokenizer: str, size: int) -> dict[str, Any]:
    """All kinds of change over one base, and the rebuild."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        report = alone(rebuild, names, tokenizer, size, folder)
        differ = 0
        for kind in KINDS:
            report |= alone(change, kind, tokenizer, size, folder)
            differ += alone(differences, kind, size, folder)["differs"]
    report |= {f"{kind}_ratio": report["rebuild_cpu_s"] / report[f"{kind}_1000_cpu_s"] for kind in KINDS}
    return report | {"differs_from_rebuilt": differ}


def _equal(found: Any, wanted: Any) -> bool:
    return found.dtype == wanted.dtype and np.array_equal(found, wanted)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 names instead of 1,000,000")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--names", type=Path, nargs="+", default=[Path(SAMPLE_NAMES)], help="files of names")
    parser.add_argument("--tokenizer", default=SAMPLE_TOKENIZER, help="a tokenizer's folder or hub id")
    return parser.parse_args()


def main() -> None:
    settings = arguments()
    report = measure(settings.names, settings.tokenizer, 100_000 if settings.quick else 1_000_000)
    show(report | {"numpy": np.__version__, "polars": pl.__version__}, "a changed catalog", as_json=settings.json)


if __name__ == "__main__":
    main()
