"""What is reported of links: accuracies with intervals, differences on the same mentions, slices."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Hits = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
RESAMPLES = 2_000


@dataclass(frozen=True)
class Figure:
    """A share with its 95 % bootstrap interval over mentions.

    n: mentions. seeds: runs that were averaged. spread: standard deviation of the runs' means, 0 for one run.
    """

    mean: float
    low: float
    high: float
    n: int
    seeds: int
    spread: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For metrics.json."""
        return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}


def share(hits: Hits, where: Mask | None = None) -> Figure | None:
    """Mean of 0/1 outcomes. hits: (seeds, mentions). where: a slice of the mentions. None for an empty slice."""
    hits = hits if where is None else hits[:, where]
    if hits.shape[1] == 0:
        return None
    low, high = _interval(hits.mean(axis=0)[None], lambda means: means[0])
    return _figure(float(hits.mean()), low, high, hits)


def difference(hits: Hits, baseline: Hits, where: Mask | None = None) -> Figure | None:
    """Mean difference on the same mentions, paired. hits, baseline: (seeds, mentions), seeds may differ."""
    if where is not None:
        hits, baseline = hits[:, where], baseline[:, where]
    if hits.shape[1] == 0:
        return None
    gains = hits.mean(axis=0) - baseline.mean(axis=0)
    low, high = _interval(gains[None], lambda means: means[0])
    return _figure(float(gains.mean()), low, high, hits - baseline.mean(axis=0))


def gap_closed(hits: Hits, floor: Hits, ceiling: Hits) -> Figure | None:
    """Share of the way from floor to ceiling that was made; all on the same mentions. None where there is no gap."""
    if hits.shape[1] == 0:
        return None
    rows = np.stack([outcome.mean(axis=0) for outcome in (hits, floor, ceiling)])
    bottom, top = rows[1].mean(), rows[2].mean()
    if top <= bottom:
        return None
    low, high = _interval(rows, lambda means: (means[0] - means[1]) / np.maximum(means[2] - means[1], 1e-9))
    per_seed = (hits - bottom) / (top - bottom)
    return _figure(float(per_seed.mean()), low, high, per_seed)


def _figure(mean: float, low: float, high: float, hits: Hits) -> Figure:
    seeds, n = hits.shape
    spread = float(hits.mean(axis=1).std(ddof=1)) if seeds > 1 else 0.0
    return Figure(mean, low, high, n, seeds, spread)


def _interval(rows: Hits, statistic: Any) -> tuple[float, float]:
    """95 % percentile bootstrap. rows: (quantities, mentions); statistic: means (quantities, resamples) -> values."""
    rng = np.random.default_rng(0)
    n = rows.shape[1]
    means = np.stack([rows[:, rng.integers(n, size=n)].mean(axis=1) for _ in range(RESAMPLES)], axis=1)
    low, high = np.percentile(statistic(means), [2.5, 97.5])
    return float(low), float(high)
