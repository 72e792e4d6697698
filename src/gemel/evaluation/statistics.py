"""What is reported of links: accuracies with intervals, differences on the same mentions, slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

Hits = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
RESAMPLES = 2_000
# Two runs differ if chance alone made them differ so much less often than this.
SIGNIFICANT = 0.05
# A slice with a wider interval is too small to tell.
WIDEST = 0.2


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


@dataclass(frozen=True)
class Change:
    """What became of the mentions between two runs, and whether that is more than noise.

    fixed, broken: mentions that only the second, or only the first, run got right. p: of McNemar's exact test.
    gain: second minus first, paired. With several seeds, a run is right where at least half of its seeds are.
    """

    gain: Figure
    fixed: int
    broken: int
    p: float

    @property
    def in_noise(self) -> bool:
        """Whether the interval holds no change at all, or the test finds none."""
        return self.gain.low <= 0 <= self.gain.high or self.p >= SIGNIFICANT

    @property
    def verdict(self) -> str:
        """For people."""
        if self.in_noise:
            return "inside the noise"
        return "better" if self.gain.mean > 0 else "worse"

    def as_dict(self) -> dict[str, Any]:
        """For tables in JSON."""
        counts = {"fixed": self.fixed, "broken": self.broken, "p": round(self.p, 6), "verdict": self.verdict}
        return {"gain": self.gain.as_dict(), **counts}


def change(before: Hits, after: Hits) -> Change:
    """Compare two runs on the same mentions. before, after: (seeds, mentions), seeds may differ.

    Raises: ValueError if there are no mentions.
    """
    gain = difference(after, before)
    if gain is None:
        raise ValueError("two runs without mentions can't be compared")
    was, is_ = (hits.mean(axis=0) >= 0.5 for hits in (before, after))
    fixed, broken = int((is_ & ~was).sum()), int((was & ~is_).sum())
    p = float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0
    return Change(gain, fixed, broken, p)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; of no trials (0, 1)."""
    if n == 0:
        return 0.0, 1.0
    interval = binomtest(successes, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def too_small(hits: Hits) -> bool:
    """Whether a slice has too few mentions to tell its accuracy. hits: (seeds, mentions) of the slice.

    Judged by the Wilson interval: the bootstrap's has no width where all outcomes agree.
    """
    low, high = wilson(round(float(hits.mean(axis=0).sum())), hits.shape[1])
    return high - low > WIDEST


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


def ratio(parts: Hits, wholes: Hits) -> Figure | None:
    """Sum over posts by sum over posts, with its 95 % bootstrap interval over posts, which n counts.

    parts: (seeds, posts). wholes: (posts,). None if these are all 0.
    """
    if not wholes.sum():
        return None
    rows = np.stack([parts.mean(axis=0), wholes])
    low, high = _interval(rows, lambda means: means[0] / np.maximum(means[1], 1e-9))
    means = parts.sum(axis=1) / wholes.sum()
    spread = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    return Figure(float(means.mean()), low, high, parts.shape[1], len(means), spread)


def contrast(first: Hits, second: Hits) -> Figure:
    """Difference of two means over different mentions: first less second. first, second: (mentions,), not empty."""
    rng = np.random.default_rng(0)
    means = [
        np.array([values[rng.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)])
        for values in (first, second)
    ]
    low, high = np.percentile(means[0] - means[1], [2.5, 97.5])
    return Figure(float(first.mean() - second.mean()), float(low), float(high), len(first) + len(second), 1)


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


def resampled(runs: Sequence[Floats], statistic: Callable[[Floats], float]) -> Figure | None:
    """A statistic that is no mean, with its 95 % bootstrap interval over mentions, averaged over runs.

    The percentiles are taken off the bootstrap's bias: a calibration error, for one, grows by resampling alone.
    runs: of each seed a row a mention, (mentions, quantities), the mentions in one order. statistic: rows -> value, NaN
    where they don't define it, else from 0 to 1. None where they don't on all mentions.
    """
    values = np.array([statistic(rows) for rows in runs])
    if not len(runs[0]) or np.isnan(values).any():
        return None
    rng = np.random.default_rng(0)
    draws = (rng.integers(len(runs[0]), size=len(runs[0])) for _ in range(RESAMPLES))
    means = [float(np.mean([statistic(rows[draw]) for rows in runs])) for draw in draws]
    low, high = np.clip(np.nanpercentile(means, [2.5, 97.5]) - np.nanmean(means) + values.mean(), 0.0, 1.0)
    spread = float(values.std(ddof=1)) if len(runs) > 1 else 0.0
    return Figure(float(values.mean()), float(low), float(high), len(runs[0]), len(runs), spread)


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
