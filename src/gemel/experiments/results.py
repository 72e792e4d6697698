"""What a run gave, as tables need it: hits by variant, slices, the protocol card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from gemel.core.artifacts import read_manifest
from gemel.core.errors import ArtifactError
from gemel.core.schema import Split
from gemel.evaluation.names import FULL
from gemel.evaluation.predictions import hits_of
from gemel.evaluation.protocol import Card, read_card
from gemel.evaluation.statistics import Hits, share


@dataclass(frozen=True)
class Result:
    """One split of a run. folder: with the artifacts of its evaluation and, perhaps, its baselines."""

    folder: Path
    split: Split = "test"

    @cached_property
    def predictions(self) -> pl.DataFrame:
        """Of the linker's variants and of the baselines, as gemel.evaluation.predictions writes them.

        Raises: ArtifactError if the evaluation was interrupted.
        """
        found = []
        for stage in ("evaluation", "baselines"):
            if stage == "evaluation" or (self.folder / stage).exists():
                read_manifest(self.folder / stage, stage)
                found.append(pl.read_parquet(self.folder / stage / "predictions.parquet"))
        return pl.concat(found).filter(pl.col("split") == self.split)

    @cached_property
    def card(self) -> Card:
        """The protocol card."""
        return read_card(self.folder / "evaluation")

    @cached_property
    def slices(self) -> pl.DataFrame:
        """As gemel.evaluation.slices.slice_table."""
        table = pl.read_parquet(self.folder / "evaluation" / "slices.parquet")
        return table.filter(pl.col("split") == self.split).drop("split")

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Of the mappers."""
        of_linker = self.predictions.filter(pl.col("variant") == FULL)
        return tuple(of_linker["seed"].unique(maintain_order=True))

    def hits(self, variant: str = FULL, within: int = 1, seeds: Sequence[int] | None = None) -> Hits | None:
        """Outcomes (seeds, mentions); None if the variant was not run. seeds: these alone, where it has them."""
        if variant == self._own_demonstrations:
            variant = FULL
        rows = self.predictions.filter(pl.col("variant") == variant)
        if seeds is not None and rows["seed"].is_in(list(seeds)).any():
            rows = rows.filter(pl.col("seed").is_in(list(seeds)))
        return hits_of(rows, variant, within) if rows.height else None

    @property
    def _own_demonstrations(self) -> str:
        """What the variant with the linker's own choice of demonstrations would be called; it is the linker itself."""
        return f"{str(self.card['demonstrations']).rpartition(' ')[2]} demonstrations"

    @property
    def seed_spread(self) -> float:
        """Standard deviation of the accuracy between mappers of equal settings, 0 for one mapper."""
        hits = self.hits()
        accuracy = None if hits is None else share(hits)
        if accuracy is None:
            raise ArtifactError(f"{self.folder}: holds no predictions of the linker; run `dvc repro evaluation`")
        return accuracy.spread
