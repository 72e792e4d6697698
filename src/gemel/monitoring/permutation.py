"""How far two samples lie apart, and how far chance alone would take them: permutation tests.

If both are drawn from one population, any split of their pooled rows into two of these sizes is as likely as the one
that was found. Splits at random therefore give the distances that chance makes, exactly and for any sizes, the
training data's own finite size included. Only counts are needed of a column, and counts of a random split follow the
multivariate hypergeometric distribution, so that a test costs the same for a hundred rows and a million.

Vectors are compared by the maximum mean discrepancy with a Gaussian kernel as wide as the median distance: Gretton et
al., A Kernel Two-Sample Test, JMLR 13 (2012). Rabanser, Günnemann and Lipton, Failing Loudly, NeurIPS 2019, hold it
against other tests for shifts of images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import jensenshannon

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]
Distance = Callable[[Floats, Floats], Floats]
LEAST_DRAWS, MOST_DRAWS = 999, 50_000
# Draws for each that is expected beyond the threshold: so many make it steady.
DRAWS_BEYOND = 10
MOST_BINS = 100
_AT_ONCE = 1_000


@dataclass(frozen=True)
class Tested:
    """distance: what was found, 0 to 1. threshold: chance alone goes beyond it as often as was asked for, at most.

    p: share of the random splits that lie as far apart as that, the one found among them.
    """

    distance: float
    threshold: float
    p: float


def largest_gap(before: Floats, after: Floats) -> Floats:
    """The Kolmogorov-Smirnov statistic. before, after: shares of values in ascending order, (…, values)."""
    gaps: Floats = np.abs(np.cumsum(before - after, axis=-1)).max(axis=-1)
    return gaps


def divergence(before: Floats, after: Floats) -> Floats:
    """The Jensen-Shannon distance with base 2. before, after: shares of values, (…, values)."""
    distances: Floats = np.nan_to_num(jensenshannon(before, after, base=2, axis=-1))
    return distances


def rise(before: Floats, after: Floats) -> Floats:
    """By how much the share of the last value rose; 0 if it fell. before, after: (…, values)."""
    risen: Floats = np.maximum(after[..., -1] - before[..., -1], 0.0)
    return risen


def compare_counts(counts: Counts, distance: Distance, alpha: float, rng: np.random.Generator) -> Tested:
    """Compare how often each value was found. counts: before and after, (2, values), rows on either side.

    alpha: how often chance alone may go beyond the threshold.
    """
    before, after = counts.sum(axis=1)
    pooled = counts.sum(axis=0)
    drawn = rng.multivariate_hypergeometric(pooled, int(after), size=draws(alpha), method="marginals")
    by_chance = distance((pooled - drawn) / before, drawn / after)
    return _tested(float(distance(counts[0] / before, counts[1] / after)), by_chance, alpha)


def compare_vectors(before: Vectors, after: Vectors, alpha: float, rng: np.random.Generator) -> Tested:
    """Compare two sets of vectors, (rows, width), by the root of the unbiased estimate of their squared MMD.

    alpha: how often chance alone may go beyond the threshold.
    """
    kernel = _kernel(np.concatenate([before, after]))
    found = np.zeros((len(kernel), 1), dtype=np.float32)
    found[len(before) :] = 1
    batches = [_AT_ONCE] * (draws(alpha) // _AT_ONCE) + [draws(alpha) % _AT_ONCE]
    split = [_discrepancies(kernel, rng.permuted(np.repeat(found, size, axis=1), axis=0)) for size in batches if size]
    return _tested(float(_discrepancies(kernel, found)[0]), np.concatenate(split), alpha)


def draws(alpha: float) -> int:
    """Random splits that a threshold of so rare an event takes."""
    return min(max(LEAST_DRAWS, math.ceil(DRAWS_BEYOND / alpha)), MOST_DRAWS)


def bins(before: Floats, after: Floats) -> tuple[Floats, Counts]:
    """Count two samples of numbers in common bins, at most MOST_BINS, each with about as many of both together.

    Returns: the highest value of each bin, and the counts (2, bins). Few different values have a bin each.
    """
    pooled = np.concatenate([before, after])
    ends = np.unique(np.quantile(pooled, np.linspace(0, 1, MOST_BINS + 1)[1:], method="inverted_cdf"))
    counts = [np.bincount(np.searchsorted(ends, values), minlength=len(ends)) for values in (before, after)]
    return ends, np.array(counts)


def _tested(distance: float, by_chance: Floats, alpha: float) -> Tested:
    p = (1 + int((by_chance >= distance - 1e-12).sum())) / (1 + len(by_chance))
    beyond = math.floor(alpha * (1 + len(by_chance)) + 1e-9) - 1
    return Tested(distance, float(np.sort(by_chance)[::-1][max(beyond, 0)]), p)


def _kernel(vectors: Vectors) -> Vectors:
    """Gaussian kernel of all pairs, (rows, rows), less its mean, which no discrepancy depends on; 0 in the diagonal."""
    from sklearn.metrics.pairwise import euclidean_distances

    squares = euclidean_distances(vectors, squared=True)
    pairs = ~np.eye(len(vectors), dtype=bool)
    kernel: Vectors = np.exp(-squares / max(float(np.median(squares[pairs])), 1e-12)).astype(np.float32)
    kernel -= kernel[pairs].mean()
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _discrepancies(kernel: Vectors, splits: Vectors) -> Floats:
    """The root of the squared discrepancy of each split. splits: 1 for rows that are after, (rows, splits)."""
    half = kernel @ splits
    inside = np.einsum("rs,rs->s", half, splits, dtype=np.float64)
    touching = half.sum(axis=0, dtype=np.float64)
    after = splits.sum(axis=0, dtype=np.float64)
    before = len(kernel) - after
    outside = kernel.sum(dtype=np.float64) - 2 * touching + inside
    squared = inside / (after * (after - 1)) + outside / (before * (before - 1))
    squared -= 2 * (touching - inside) / (after * before)
    roots: Floats = np.sqrt(np.maximum(squared, 0.0))
    return roots
