"""How many given mentions the finders find, and how many of what they find was given: real text, and speed.

`--mentions-from` takes the folder of WikiMEL's mention-level files (WIKIMEL_{train,dev,test}.json) or of GEMEL's JSON
lines of WikiDiverse (gemel_{train,dev}.jsonl). The dictionary has the names of all entities of the data set, and the
mention strings of its training split; it is asked for the last split there is. Neither data set gives every mention of
its texts, so what is found beside the given ones may well be right: recall is the figure to trust, and precision is a
lower bound. Intervals are 95 % bootstrap intervals over posts. `--spacy MODEL` asks a pipeline the same. `--names N`
also times a dictionary of N made-up names on a text of a megabyte. `--quick` takes 256 posts.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.baselines import read_tables
from benchmarks.output import show
from benchmarks.processes import peak_bytes
from gemel.entities.catalog import unique_names
from gemel.evaluation.found_mentions import span_figures
from gemel.evaluation.statistics import Figure
from gemel.mentions.dictionary import DictionaryFinder
from gemel.mentions.finder import MentionFinder
from gemel.mentions.spacy_pipeline import SpacyFinder
from gemel.posts.dataset import read_dataset
from gemel.posts.gemel_jsonl import import_gemel_jsonl
from gemel.posts.tables import Tables, build_tables

QUICK_POSTS = 256


def tables_of(folder: Path) -> Tables:
    """The tables of either data set."""
    if (folder / "WIKIMEL_test.json").is_file():
        return read_tables(folder)
    with tempfile.TemporaryDirectory() as project:
        source = Path(project) / "source"
        source.mkdir()
        for file in folder.glob("gemel_*.jsonl"):
            shutil.copyfile(file, source / file.name)
        import_gemel_jsonl(source, Path(project) / "data" / "wikidiverse", None)
        rows = read_dataset(Path(project) / "data" / "wikidiverse")
        return build_tables(rows, unique_names(rows.entities).entities)


def measure(finder: MentionFinder, texts: pl.DataFrame, given: pl.DataFrame) -> dict[str, object]:
    """Precision, recall and F1 of the spans, and the posts that are searched in a second of CPU time."""
    start = time.process_time()
    spans = {post_id: finder.find(text) for post_id, text in texts.select("post_id", "text").iter_rows()}
    seconds = time.process_time() - start
    report: dict[str, object] = {"posts_per_s": texts.height / seconds, "found": sum(map(len, spans.values()))}
    for name, figure in span_figures(spans, given).items():
        assert isinstance(figure, Figure)
        report |= {name: figure.mean, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return report


def speed(names: int) -> dict[str, object]:
    """A large dictionary: the CPU time that it takes to build, what it weighs, and a text of a megabyte."""
    start = time.process_time()
    finder = DictionaryFinder(f"Name{number % 9973} Of{number // 9973} Many" for number in range(names))
    built = time.process_time()
    mentions = finder.find("Then Name17 Of3 Many slept, " * (2**20 // 28))
    found = time.process_time()
    report = {"names": len(finder), "names_bytes": finder.nbytes, "build_s": built - start}
    return report | {"megabyte_s": found - built, "megabyte_mentions": len(mentions), "peak_gib": peak_bytes() / 2**30}


def run(folder: Path, *, spacy: str | None, names: int | None, quick: bool) -> dict[str, object]:
    """The dictionary's figures, then those of the pipeline and of the large dictionary, where asked for."""
    tables = tables_of(folder)
    split = "test" if (tables.mentions["split"] == "test").any() else "dev"
    texts = tables.posts.filter(pl.col("split") == split)
    texts = texts.sample(QUICK_POSTS, seed=0) if quick else texts
    given = tables.mentions.join(texts, on="post_id", how="semi")
    solved = tables.mentions.filter((pl.col("split") == "train") & pl.col("in_kb"))
    finder = DictionaryFinder.of(tables.entities, solved)
    report: dict[str, object] = {"split": split, "posts": texts.height, "given": given.height, "names": len(finder)}
    report |= measure(finder, texts, given)
    if spacy is not None:
        report |= {f"spacy_{key}": value for key, value in measure(SpacyFinder(spacy), texts, given).items()}
    if names is not None:
        report |= {f"large_{key}": value for key, value in speed(names).items()}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions-from", type=Path, required=True, help="folder of WikiMEL or WikiDiverse")
    parser.add_argument("--spacy", help="also a spaCy pipeline: its name or folder")
    parser.add_argument("--names", type=int, help="also a dictionary of so many names")
    parser.add_argument("--quick", action="store_true", help="256 posts")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    settings = parser.parse_args()
    report = run(settings.mentions_from, spacy=settings.spacy, names=settings.names, quick=settings.quick)
    show(report, "Mentions found in the text", as_json=settings.json)


if __name__ == "__main__":
    main()
