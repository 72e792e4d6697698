"""Whether two runs were graded alike, so that their answers can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
import polars as pl

from gemel.evaluation import protocol
from gemel.evaluation.names import FULL
from gemel.evaluation.statistics import Hits
from gemel.report.run import Evaluation

SPLIT = "test"
FACTS = ("num_beams", "seeds", "tail_at_most")
SHOWN = 3
HASH_CHARACTERS = 12


@dataclass(frozen=True)
class Side:
    """One of the two runs. name: as the user gave it. names_sha256: of its catalog; None where that isn't known."""

    name: str
    evaluation: Evaluation
    names_sha256: str | None

    @property
    def seed(self) -> int:
        """The seed whose answers are compared: the best on dev."""
        return self.evaluation.best_seed

    def answers(self) -> pl.DataFrame:
        """The answers that are compared, one row a mention, by mention id."""
        return self.evaluation.answers(FULL, SPLIT).sort("mention_id")

    def hits(self) -> Hits:
        """1 where the first answer is right, of all seeds: (seeds, mentions by id)."""
        rows = self.evaluation.predictions.filter((pl.col("variant") == FULL) & (pl.col("split") == SPLIT))
        places = rows.sort("seed", "mention_id")["place"].to_numpy().reshape(rows["seed"].n_unique(), -1)
        hits: Hits = (places == 1).astype(np.float64)
        return hits


def differences(a: Side, b: Side) -> list[str]:
    """What makes two runs incomparable, in words; empty where they were graded alike.

    Mentions, gold entities and what they were graded by are always looked at; the catalog's names and what
    protocol.json states where both runs have them.
    """
    found = []
    graded_a, graded_b = (_graded(side) for side in (a, b))
    if graded_a != graded_b:
        only = [
            f"{_some(rows)} only in {side.name}" for rows, side in ((graded_a - graded_b, a), (graded_b - graded_a, b))
        ]
        found.append(f"other mentions: {', '.join(only)}")
    by_a, by_b = (side.evaluation.facts["graded_by"] for side in (a, b))
    if by_a != by_b:
        found.append(f"graded by {by_a!r} and by {by_b!r}")
    if a.names_sha256 and b.names_sha256 and a.names_sha256 != b.names_sha256:
        hashes = (side[:HASH_CHARACTERS] for side in (a.names_sha256, b.names_sha256))
        found.append(f"other catalogs: names {' and '.join(hashes)}")
    if a.evaluation.protocol and b.evaluation.protocol:
        stated = protocol.differences(a.evaluation.protocol, b.evaluation.protocol)
        found += [f"{key}: {one!r} and {other!r}" for key, (one, other) in stated.items()]
    return found


def settings(a: Side, b: Side) -> dict[str, tuple[object, object]]:
    """What two comparable runs did otherwise: key -> the value of each."""
    if a.evaluation.protocol and b.evaluation.protocol:
        return _unequal(a.evaluation.protocol, b.evaluation.protocol)
    return _unequal(*({key: side.evaluation.facts.get(key) for key in FACTS} for side in (a, b)))


def _unequal(a: Mapping[str, object], b: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """The values that differ; none if either side states nothing."""
    if not a or not b:
        return {}
    return {key: (a.get(key), b.get(key)) for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)}


def _graded(side: Side) -> Set[tuple[str, ...]]:
    return set(side.evaluation.predictions.select("split", "mention_id", "entity_id").unique().iter_rows())


def _some(rows: Set[tuple[str, ...]]) -> str:
    shown = ", ".join(f"{mention} -> {gold}" for _, mention, gold in sorted(rows)[:SHOWN])
    return f"{len(rows)} ({shown}{', …' if len(rows) > SHOWN else ''})" if rows else "0"
