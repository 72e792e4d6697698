"""How far the people who judged agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import krippendorff
import numpy as np

from gemel.audit.judgements import Judgement, Verdict


@dataclass(frozen=True)
class Agreement:
    """Agreement on the links that at least two people judged; unsure is a verdict like the others.

    links: how many those are. pairs_agree: the share of agreeing pairs of judgements, mean over links; None without
    such links. alpha: Krippendorff's, nominal; None where it isn't defined: no such links, or one verdict throughout.
    """

    links: int
    pairs_agree: float | None
    alpha: float | None


def agreement(judgements: Iterable[Judgement]) -> Agreement:
    """Agreement between the annotators of some judgements, each of one link at most once by one annotator."""
    by_item: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for each in judgements:
        by_item[each.item][each.verdict] += 1
    # (links, verdicts): how many people gave each verdict.
    shared = np.array(
        [[votes[verdict] for verdict in Verdict] for votes in by_item.values() if votes.total() > 1], dtype=np.int64
    ).reshape(-1, len(Verdict))
    if not len(shared):
        return Agreement(0, None, None)
    people = shared.sum(axis=1)
    agreeing = (shared * (shared - 1)).sum(axis=1) / (people * (people - 1))
    several = (shared.sum(axis=0) > 0).sum() > 1
    alpha = krippendorff.alpha(value_counts=shared, level_of_measurement="nominal") if several else None
    return Agreement(len(shared), float(agreeing.mean()), None if alpha is None else float(alpha))
