"""What the answers of two releases on the same mentions say of the change of their true accuracies.

fixed, broken: mentions that only the second, or only the first, got right; n: all of them. Counts may be fractions,
where mentions of one post count for less than one each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import bdtrc, betaincinv, ndtri

# Of a bound, in shares.
_TOLERANCE = 1e-9


@lru_cache(maxsize=200_000)
def least_gain(fixed: float, broken: float, n: float, alpha: float) -> float:
    """A lower bound of the change of accuracy, which lies above the true change with chance alpha at most.

    Where nothing was fixed it is exact, after Clopper and Pearson: minus the upper bound of the share that is broken.
    Elsewhere it is the bound of Tango's score statistic (Statistics in Medicine 17, 1998, 891-908), which unlike Wald's
    has a width where next to nothing changed, or the exact one, whichever says more. Together they keep alpha, to 2 %
    of it where alpha is at most 0.02.
    Returns: a share, -1 to 1; -1 of no mentions.
    """
    if n <= 0:
        return -1.0
    exact = _exact_bound(broken, n, alpha)
    return max(_score_bound(fixed, broken, n, alpha), exact) if fixed else exact


def enough(margin: float, alpha: float) -> int:
    """The fewest mentions that could show that accuracy dropped by less than a margin: if not one answer changed."""
    return math.ceil(math.log(alpha) / math.log1p(-margin))


def chance_of(more: float, fewer: float) -> float:
    """How often chance alone changes so much to this side: McNemar's exact test, one-sided. Returns: 1 of no change.

    Fractions are rounded to the side of chance.
    """
    for_it, against = math.floor(more), math.ceil(fewer)
    return float(bdtrc(for_it - 1, for_it + against, 0.5)) if for_it else 1.0


def least_accuracy(right: float, n: float, alpha: float) -> float:
    """The exact lower bound of an accuracy, after Clopper and Pearson. Returns: a share; 0 of no mentions."""
    return float(betaincinv(right, n - right + 1, alpha)) if right > 0 else 0.0


def design_effect(changes: npt.NDArray[np.int64], posts: Sequence[str]) -> float:
    """How many mentions count for one, as those of a post are alike; 1 if each post has one, or they aren't alike.

    Counts divided by it can be treated as if mentions were independent (Rao and Scott, Biometrics 48, 1992, 577-585).
    changes: of each mention 1 if fixed, -1 if broken, 0 else, (mentions,). posts: of each mention, its post.
    """
    changed = int(np.abs(changes).sum())
    if not changed:
        return 1.0
    _, places = np.unique(np.asarray(posts), return_inverse=True)
    return max(1.0, float((np.bincount(places, weights=changes) ** 2).sum() / changed))


def _score_bound(fixed: float, broken: float, n: float, alpha: float) -> float:
    """The change at which Tango's statistic is the normal quantile of alpha."""
    seen, wanted = (fixed - broken) / n, -float(ndtri(alpha))
    if seen <= -1 + _TOLERANCE:
        return -1.0

    def excess(change: float) -> float:
        return _score(fixed, broken, n, change) - wanted

    return float(brentq(excess, -1 + _TOLERANCE, seen, xtol=_TOLERANCE))


def _score(fixed: float, broken: float, n: float, change: float) -> float:
    """How many standard deviations the change seen lies above a true one; the variance is the likeliest under that."""
    linear = -fixed - broken + (2 * n - fixed + broken) * change
    constant = -broken * change * (1 - change)
    broken_share = (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * broken_share + change * (1 - change))
    difference = fixed - broken - n * change
    if variance > 0:
        return difference / math.sqrt(variance)
    return math.copysign(math.inf, difference) if difference else 0.0


def _exact_bound(broken: float, n: float, alpha: float) -> float:
    """Minus the upper bound of the share of mentions that are broken."""
    return -1.0 if broken >= n else -float(betaincinv(broken + 1, n - broken, 1 - alpha))
