"""Whether a period differs from the training data, and in what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gemel.monitoring.features import FEATURES, Curve, Feature, Share, features_of
from gemel.monitoring.feedback import Feedback
from gemel.monitoring.period import Period
from gemel.monitoring.records import Records
from gemel.monitoring.reference import Reference
from gemel.monitoring.settings import DAYS_A_YEAR, MonitoringSettings

Verdict = Literal["moved", "steady", "can't tell"]


@dataclass(frozen=True)
class Finding:
    """What became of one feature.

    rows, reference_rows: of the period and of the training data. words: what it was and is, or why nothing can be told.
    distance: of the two. threshold: beyond it the feature has moved. p: how often chance alone makes as much; all None
    where nothing can be told. before, after, curve: as a Feature has them.
    """

    feature: str
    title: str
    measure: str
    verdict: Verdict
    words: str
    rows: int
    reference_rows: int
    distance: float | None = None
    threshold: float | None = None
    p: float | None = None
    before: Share | None = None
    after: Share | None = None
    curve: Curve | None = None

    @property
    def sentence(self) -> str:
        """For people."""
        if self.distance is None:
            return f"{self.title}: {self.verdict}, {self.words}"
        return f"{self.title}: {self.words}; distance {self.distance:.3f}, threshold {self.threshold:.3f}"


def allowed(period: Period, false_alarms_per_year: float) -> float:
    """How often a report on a period may alarm by chance alone, where reports follow each other without a gap."""
    return min(0.5, false_alarms_per_year * period.days / DAYS_A_YEAR)


def compare(
    reference: Reference,
    records: Records | None,
    feedback: Feedback | None,
    settings: MonitoringSettings,
    alpha: float,
) -> tuple[Finding, ...]:
    """Compare a period with the training data, feature by feature.

    records, feedback: None where the service keeps none. alpha: how often chance alone may move any feature; it is
    divided by the number of those that can be compared (Bonferroni), so that they need not be independent.
    """
    found = tuple(features_of(reference, records, feedback, settings.frequent_mentions))
    known = [each for each in found if not _why_unknown(each, settings.least_rows)]
    each_alpha = alpha / max(1, len(known))
    return tuple(_finding(each, settings, each_alpha, seed) for seed, each in enumerate(found))


def _why_unknown(feature: Feature, least: int) -> str:
    if feature.unknown:
        return feature.unknown
    if feature.rows < least:
        return f"{feature.rows} rows in the period, {least} are needed"
    if feature.reference_rows < least:
        return f"{feature.reference_rows} rows in the training data, {least} are needed"
    return ""


def _finding(feature: Feature, settings: MonitoringSettings, alpha: float, seed: int) -> Finding:
    title, measure = FEATURES[feature.name]
    why = _why_unknown(feature, settings.least_rows)
    known = (feature.name, title, measure)
    if why or feature.test is None:
        return Finding(*known, "can't tell", why, feature.rows, feature.reference_rows)
    tested = feature.test(alpha, np.random.default_rng([settings.seed, seed]))
    threshold = max(tested.threshold, settings.least_distance)
    moved = tested.distance > threshold
    return Finding(
        *known,
        "moved" if moved else "steady",
        feature.words,
        feature.rows,
        feature.reference_rows,
        distance=round(tested.distance, 6),
        threshold=round(threshold, 6),
        p=tested.p,
        before=feature.before,
        after=feature.after,
        curve=feature.curve,
    )
