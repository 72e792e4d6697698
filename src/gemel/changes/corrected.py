"""The demonstrations of a release with the corrections before them, and the vectors of their images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gemel.changes.corrections import Correction
from gemel.core.artifacts import file_sha256
from gemel.core.errors import ArtifactError, DataError
from gemel.core.image_files import ImageFolder
from gemel.entities.catalog import Catalog
from gemel.features.encoder import VisionEncoder
from gemel.features.loading import Wanted
from gemel.features.parts import read_part, read_parts, write_parts
from gemel.features.tower import Vectors
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA


@dataclass(frozen=True)
class CorrectedCorpus:
    """table: columns of CORPUS_SCHEMA. shown: the corrections in it. dropped: those whose entity the catalog lacks."""

    table: pl.DataFrame
    shown: tuple[Correction, ...]
    dropped: tuple[Correction, ...]


def corrected_corpus(base: pl.DataFrame, corrections: Sequence[Correction], catalog: Catalog) -> CorrectedCorpus:
    """Put each correction before the solved mentions of its string, the latest first: they are as relevant as it is.

    Not before all: rows without any relevance fill up where a string has few, and these fillers stay what they were.
    A solved mention of the same text and image as a correction gives way to it.
    """
    shown = tuple(each for each in corrections if each.mention.entity in catalog)
    dropped = tuple(each for each in corrections if each.mention.entity not in catalog)
    # An entity that was merged into another leads to that one.
    solved = [(each, catalog.entity(each.mention.entity)) for each in reversed(shown)]
    rows = [
        (each.id, each.mention.mention, each.text, living.entity_id, living.name, each.image_sha256, None)
        for each, living in solved
    ]
    first = pl.DataFrame(rows, schema=CORPUS_SCHEMA, orient="row")
    same = ["mention", "text", "image_sha256"]
    left = base.join(first, on=same, how="anti", nulls_equal=True, maintain_order="left")
    return CorrectedCorpus(_before_their_like(first, left), shown, dropped)


def _before_their_like(first: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """Both, each row of `first` before the first row of base with its mention, whatever its case; else behind all."""
    string = pl.col("mention").str.to_lowercase().alias("string")
    numbered = base.with_row_index("place").with_columns(string)
    places = numbered.group_by("string").agg(pl.col("place").min())
    placed = first.with_columns(string).join(places, on="string", how="left", maintain_order="left")
    behind = pl.col("place").fill_null(base.height)
    rows = [placed.with_columns(behind, own=False), numbered.with_columns(own=True)]
    return pl.concat(rows, how="diagonal_relaxed").sort("place", "own", maintain_order=True).select(*CORPUS_SCHEMA)


def correction_vectors(
    shown: Sequence[Correction],
    folder: Path,
    known: Mapping[str, Vectors],
    parts: Path,
    load: Callable[[], VisionEncoder],
) -> dict[str, Vectors]:
    """Vectors of the corrections' images, by SHA-256.

    folder: of the changes. known: vectors of other images, taken where they are. parts: folder for those that are made
    here, one encoder's, so that each is made once. load: the encoder; it is called only if an image has no vector yet.
    Raises: DataError if an image can't be read or was changed; what `load` raises.
    """
    names = {each.image_sha256: each.image for each in shown if each.image_sha256 and each.image}
    found = {sha256: known[sha256] for sha256 in names if sha256 in known}
    made = read_parts(parts)
    if missing := names.keys() - found.keys() - {sha256 for part in made for sha256 in part.sha256}:
        wanted = [Wanted(sha256, names[sha256]) for sha256 in sorted(missing)]
        for each in wanted:
            _check_image(folder / each.name, each.sha256)
        # One by one: on an accelerator a vector's last digits may depend on the size of its batch.
        made += map(read_part, write_parts(wanted, ImageFolder(folder), load(), parts, batch_size=1, workers=0))
    for part in made:
        found |= {sha256: row for sha256, row in zip(part.sha256, part.vectors(), strict=True) if sha256 in names}
    return found


def expect_encoder(encoder: VisionEncoder, fingerprint: str) -> VisionEncoder:
    """Refuse an encoder whose vectors can't stand beside those that are there.

    Raises: ArtifactError if it isn't the one of that fingerprint.
    """
    if encoder.fingerprint != fingerprint:
        raise ArtifactError(
            f"artifacts/image_features: made by encoder {fingerprint[:12]}, but {encoder.name} is "
            f"{encoder.fingerprint[:12]}; run `dvc repro` first"
        )
    return encoder


def _check_image(path: Path, sha256: str) -> None:
    if (found := file_sha256(path)) != sha256:
        raise DataError(f"{path}: its SHA-256 is {found}, not its name; run `dvc checkout data.dvc`")
