"""What the training data look like, and what the linker makes of posts that it was not fitted on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.confidence.calibrator import read_calibrator
from gemel.core.artifacts import MANIFEST, artifact_hash, read_manifest
from gemel.core.errors import ArtifactError
from gemel.posts.tables import Tables

# As many digits of its hash name a release in the records.
RELEASE_DIGITS = 16
HELD_OUT = ("dev", "test")
# The split that neither the mapper nor the chances were fitted to.
ANSWERED = "test"
_JUDGED, _METRICS = "judged.parquet", "metrics.json"
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """The data set, and the best mapper's links of its test posts.

    release: first digits of the release's hash; None where none was made. text_lengths: characters, of all posts.
    imageless: of all posts. strings: mention strings of all posts, as `folded`. known: those of train.
    held_out: the strings of dev and test. vectors: of different pictures, (pictures, vision_dim); pictures: how many
    there are, of which these are a random sample.
    answers: one row a mention of test: probability, sure, nil, and wrong, whether the link or the NIL answer is.
    """

    dataset: str
    release: str | None
    text_lengths: pl.Series
    imageless: pl.Series
    strings: pl.Series
    known: frozenset[str]
    held_out: pl.Series
    vectors: Vectors
    pictures: int
    answers: pl.DataFrame


def folded(strings: pl.Series) -> pl.Series:
    """Mention strings as they are compared: without their case and the spaces around them."""
    return strings.str.strip_chars().str.to_lowercase()


def read_reference(artifacts: Path, *, most_images: int, seed: int = 0) -> Reference:
    """Read the artifacts of posts, image_features, confidence and evaluation. artifacts: the folder that holds them.

    most_images: of the vectors that are kept.
    Raises: ArtifactError if one is absent or damaged, with the stage to run.
    """
    for stage in ("image_features", "confidence", "evaluation"):
        read_manifest(artifacts / stage, stage)
    facts, tables = read_manifest(artifacts / "posts", "posts"), Tables.read(artifacts / "posts")
    strings, split = folded(tables.mentions["mention"]), tables.mentions["split"]
    vectors, pictures = _vectors(artifacts / "image_features", most_images, seed)
    release = artifacts / "release"
    return Reference(
        dataset=str(facts["dataset"]),
        release=artifact_hash(release)[:RELEASE_DIGITS] if (release / MANIFEST).is_file() else None,
        text_lengths=tables.posts["text"].str.len_chars(),
        imageless=tables.posts["image_sha256"].is_null(),
        strings=strings,
        known=frozenset(strings.filter(split == "train")),
        held_out=strings.filter(split.is_in(HELD_OUT)),
        vectors=vectors,
        pictures=pictures,
        answers=_answers(artifacts / "evaluation", artifacts / "confidence"),
    )


def _vectors(store: Path, most: int, seed: int) -> tuple[Vectors, int]:
    # It loads torch.
    from gemel.features.store import FeatureStore

    features = FeatureStore(store)
    keys = sorted(features)
    chosen = np.random.default_rng(seed).permutation(len(keys))[:most]
    return np.array([features[keys[place]] for place in sorted(chosen)], dtype=np.float32), len(keys)


def _answers(evaluation: Path, confidence: Path) -> pl.DataFrame:
    above = read_calibrator(confidence).sure_above
    try:
        best = json.loads((evaluation / _METRICS).read_bytes())["mapper"]["best_seed"]
        rows = pl.read_parquet(evaluation / _JUDGED)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(
            f"{evaluation}: can't be read ({type(error).__name__}: {error}); run `dvc repro evaluation`"
        ) from error
    said = rows.filter((pl.col("split") == ANSWERED) & (pl.col("seed") == best))
    return said.select(probability="chance_right", sure=_sure(above), nil="nil", wrong=~_is_right())


def _sure(above: float | None) -> pl.Expr:
    return pl.lit(False) if above is None else ~pl.col("nil") & (pl.col("chance_right") >= above)


def _is_right() -> pl.Expr:
    return pl.col("outcome") == pl.when("nil").then(pl.lit("nil")).otherwise(pl.lit("right"))


def facts_of(reference: Reference) -> dict[str, Any]:
    """What a report says of it."""
    return {
        "dataset": reference.dataset,
        "release": reference.release,
        "posts": reference.text_lengths.len(),
        "mentions": reference.strings.len(),
        "pictures": reference.pictures,
        "answers": reference.answers.height,
    }
