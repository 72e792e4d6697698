"""What a finished run left: the artifacts that a report is made of, checked and read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from gemel.core.artifacts import expect_fact, read_manifest
from gemel.core.errors import ArtifactError, RequestError
from gemel.entities.catalog import Catalog
from gemel.entities.trie import PackedTrie, read_trie
from gemel.evaluation.grading import Graded, given_names, graded
from gemel.posts.tables import Tables
from gemel.tasks.linking.demonstrations import read_chosen, read_corpus

ARTIFACTS, PREDICTIONS, METRICS, PROTOCOL = "artifacts", "predictions.parquet", "metrics.json", "protocol.json"
ENTITIES, SUMMARY, JUDGED = "entities.parquet", "summary.json", "judged.parquet"
SPLITS = ("test", "dev")


@dataclass(frozen=True)
class Evaluation:
    """An evaluation artifact. protocol: what protocol.json states, empty for a run that has none."""

    folder: Path
    facts: Mapping[str, Any]
    metrics: Mapping[str, Any]
    predictions: pl.DataFrame
    protocol: Mapping[str, Any]

    @property
    def best_seed(self) -> int:
        """The seed whose mapper had the lowest loss on dev."""
        return int(self.metrics["mapper"]["best_seed"])

    def answers(self, variant: str, split: str) -> pl.DataFrame:
        """The rows of one variant on one split: of the best seed, or of the only one where the mapper plays no part.

        Empty if the variant was not run.
        """
        rows = self.predictions.filter((pl.col("variant") == variant) & (pl.col("split") == split))
        of_best = rows.filter(pl.col("seed") == self.best_seed)
        return rows.filter(pl.col("seed") == rows["seed"].first()) if of_best.is_empty() else of_best


@dataclass(frozen=True)
class Run:
    """A finished run. folder: holds an artifact for each stage; the data set and params.yaml lie beside it.

    facts: of the manifest of each stage. chosen: mention id -> rows of the corpus, most relevant first, by the method
    of the linker. summary: of the mappers.
    """

    folder: Path
    facts: Mapping[str, Mapping[str, Any]]
    evaluation: Evaluation
    tables: Tables
    catalog: Catalog
    trie: PackedTrie
    corpus: pl.DataFrame
    chosen: Mapping[str, Sequence[int]]
    summary: Mapping[str, Any]

    @property
    def workspace(self) -> Path:
        """The folder that holds data/ and params.yaml."""
        return self.folder.parent

    @property
    def data(self) -> Path:
        """The data set's folder."""
        return self.workspace / "data" / str(self.facts["posts"]["dataset"])

    @property
    def method(self) -> str:
        """How the linker chose its demonstrations."""
        return _method(self.facts["demonstrations"], self.evaluation)

    @cached_property
    def judged(self) -> pl.DataFrame:
        """The answers of the best seed with their chances, those to NIL mentions too."""
        path = self.evaluation.folder / JUDGED
        try:
            rows = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ArtifactError(f"{path}: unreadable ({error}); run `dvc repro evaluation`") from error
        return rows.filter(pl.col("seed") == self.evaluation.best_seed)

    @cached_property
    def graded(self) -> Mapping[str, Graded]:
        """The graded mentions of each split."""
        names = given_names(self.tables.entities) if self.evaluation.facts["graded_by"] == "name" else None
        return {split: graded(self.tables.mentions, self.tables.posts, split, names) for split in SPLITS}


def artifacts_folder(folder: Path) -> Path:
    """Where the artifacts of a run lie. folder: that folder itself, or the checkout that holds it.

    Raises: RequestError if there is no such folder.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder}: no such folder; run `dvc repro`, or name a run's folder with --run")
    return folder / ARTIFACTS if (folder / ARTIFACTS).is_dir() else folder


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation artifact.

    Raises: ArtifactError if it was never finished, is damaged, or lacks a file.
    """
    facts = read_manifest(folder, "evaluation")
    protocol = _read_object(folder / PROTOCOL, "evaluation") if (folder / PROTOCOL).is_file() else {}
    try:
        predictions = pl.read_parquet(folder / PREDICTIONS)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{folder / PREDICTIONS}: unreadable ({error}); run `dvc repro evaluation`") from error
    return Evaluation(folder, facts, _read_object(folder / METRICS, "evaluation"), predictions, protocol)


def read_run(folder: Path) -> Run:
    """Read all artifacts that a report needs. folder: holds an artifact for each stage.

    Raises: ArtifactError if one is absent, unfinished or was made from others than these, with the stage to run.
    """
    stages = ("posts", "demonstrations", "entity_trie", "mapper")
    facts = {stage: read_manifest(folder / stage, stage) for stage in stages}
    evaluation = read_evaluation(folder / "evaluation")
    facts["evaluation"] = dict(evaluation.facts)
    catalog = Catalog.read(folder / "posts" / ENTITIES)
    expect_fact(folder / "entity_trie", facts["entity_trie"], "names_sha256", catalog.names_sha256, "entity_trie")
    run = Run(
        folder,
        facts,
        evaluation,
        Tables.read(folder / "posts"),
        catalog,
        read_trie(folder / "entity_trie"),
        read_corpus(folder / "demonstrations"),
        read_chosen(folder / "demonstrations", _method(facts["demonstrations"], evaluation)),
        _read_object(folder / "mapper" / SUMMARY, "mapper"),
    )
    _expect_same_mentions(run)
    return run


def _method(facts: Mapping[str, Any], evaluation: Evaluation) -> str:
    """The one method whose demonstrations no variant was compared with."""
    compared = set(evaluation.predictions["variant"].unique())
    return str(next(method for method in facts["methods"] if f"{method} demonstrations" not in compared))


def _expect_same_mentions(run: Run) -> None:
    found = set(run.evaluation.predictions.select("split", "mention_id", "entity_id").unique().iter_rows())
    wanted = {
        (split, *row) for split, of in run.graded.items() for row in of.table.select("mention_id", "entity_id").rows()
    }
    best, known = run.summary["best_seed"], run.evaluation.best_seed
    if found != wanted or best != known:
        differs = (
            f"{len(found ^ wanted)} graded mentions differ" if found != wanted else f"best seed {known}, not {best}"
        )
        raise ArtifactError(
            f"{run.evaluation.folder}: made from other artifacts than those beside it ({differs}); "
            "run `dvc repro evaluation`"
        )


def _read_object(path: Path, stage: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: unreadable ({error}); run `dvc repro {stage}`") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path}: expected an object, found {type(value).__name__}; run `dvc repro {stage}`")
    return value
