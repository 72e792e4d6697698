"""What aliases in the trie change: one release with and without them, on the test mentions of the sample world.

The sample's entities have no aliases, so those of sample/aliases.tsv are given to them: other names that these entities
really have. Mapper, demonstrations and images are the same on both sides; a change is of the same mentions, with its
95 % bootstrap interval and McNemar's test. The tiny LLM was never shown an alias, so that it can only lose by them or
get by; a large one knows that the Big Apple is New York. `--quick` takes 64 of the mentions.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.output import show
from gemel.bundle import ENTITIES, TRIE, read_bundle
from gemel.core.artifacts import MANIFEST, new_artifact, read_manifest
from gemel.core.schema import Mention, Post
from gemel.entities.catalog import Catalog
from gemel.entities.spellings import Spellings, readable, spellings_of
from gemel.entities.trie import write_trie
from gemel.entities.trie_build import build_trie
from gemel.evaluation.statistics import change, share
from gemel.llm.names import tokenize_names
from gemel.llm.tokens import load_tokenizer
from gemel.posts.tables import Tables
from gemel.predictor import Linker
from gemel.stages import DATA, POSTS, RELEASE

ALIASES = Path("sample/aliases.tsv")
SAMPLE = DATA / "sample"
QUICK_MENTIONS = 64


def with_aliases(release: Path, folder: Path) -> Spellings:
    """Write the release once more, its entities with their aliases and these in its trie."""
    given = pl.read_csv(ALIASES, separator="\t").group_by("qid", maintain_order=True).agg("alias")
    table = pl.read_parquet(release / ENTITIES)
    joined = table.join(given, left_on="entity_id", right_on="qid", how="left", maintain_order="left")
    entities = joined.with_columns(pl.col("alias").fill_null([]).alias("aliases")).select(table.columns)
    llm = read_bundle(release).settings.backbone.llm
    every = spellings_of(Catalog(entities), aliases=True)
    spellings, tokens = readable(every, tokenize_names(every.texts, load_tokenizer(llm.model, llm.revision)))
    with new_artifact(folder, "release", read_manifest(release, "release")) as draft:
        shutil.copytree(release, draft, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
        entities.write_parquet(draft / ENTITIES)
        write_trie(build_trie(tokens, spellings.owners), draft / TRIE)
    return spellings


def best_entities(release: Path, posts: Sequence[Post]) -> list[str]:
    """The first answer for each post's one mention."""
    return [link.best.entity_id for link in Linker.load(release).link_stream(posts)]


def run(*, quick: bool) -> dict[str, object]:
    """Accuracies of both sides, and what changed."""
    tables = Tables.read(POSTS)
    rows = tables.mentions.filter((pl.col("split") == "test") & pl.col("in_kb"))
    rows = rows.join(tables.posts.select("post_id", "image"), on="post_id", maintain_order="left")
    if quick:
        rows = rows.sample(QUICK_MENTIONS, seed=0)
    posts = [
        Post(row["text"], (Mention(row["mention"], row["start"], row["end"]),), row["image"] and SAMPLE / row["image"])
        for row in rows.iter_rows(named=True)
    ]
    gold = rows["entity_id"].to_list()
    with tempfile.TemporaryDirectory() as folder:
        spellings = with_aliases(RELEASE, Path(folder) / "release")
        before, after = best_entities(RELEASE, posts), best_entities(Path(folder) / "release", posts)
    hits = [
        np.array([[found == right for found, right in zip(side, gold, strict=True)]], dtype=np.float64)
        for side in (before, after)
    ]
    report: dict[str, object] = {"mentions": len(posts), **spellings.facts()}
    for side, of_side in zip(("without", "with"), hits, strict=True):
        figure = share(of_side)
        assert figure is not None
        report[f"accuracy_{side}"] = figure.mean
    changed = change(*hits)
    named = np.isin(gold, pl.read_csv(ALIASES, separator="\t")["qid"].to_list())
    of_named = change(*(of_side[:, named] for of_side in hits))
    report |= {"gain": changed.gain.mean, "gain_low": changed.gain.low, "gain_high": changed.gain.high}
    report |= {"fixed": changed.fixed, "broken": changed.broken, "p": changed.p, "verdict": changed.verdict}
    report |= {"other_answers": sum(one != other for one, other in zip(before, after, strict=True))}
    report |= {"mentions_of_entities_with_aliases": int(named.sum()), "gain_of_these": of_named.gain.mean}
    return report | {"gain_of_these_low": of_named.gain.low, "gain_of_these_high": of_named.gain.high}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 of the mentions")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    settings = parser.parse_args()
    show(run(quick=settings.quick), "Aliases in the trie, sample world", as_json=settings.json)


if __name__ == "__main__":
    main()
