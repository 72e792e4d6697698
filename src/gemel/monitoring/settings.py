"""What may be set of the monitoring."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

DAYS_A_YEAR = 365.25


class MonitoringSettings(BaseModel):
    """Settings of the monitoring. Relative folders start from the project's root.

    records_folder, feedback_folder: where the service writes both, as its own settings of these names say.

    false_alarms_per_year: how many alarms chance alone may sound a year, at most, over all features together, where
    reports follow each other without a gap. Fewer false ones mean that a true one comes later.

    least_rows: with fewer on either side, of the period or of the training data, nothing is told of a feature.
    least_distance: what is closer is no alarm, however sure; at 0 a busy service alarms for what makes no difference.
    All distances are between 0 and 1.

    most_images: pictures of either side that are compared; the cost grows with its square. frequent_mentions: mention
    strings that are told apart, the most frequent ones of the training data; all others count as one.

    seed: of the random numbers; equal rows give equal reports.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    records_folder: Path = Path(".gemel/records")
    feedback_folder: Path = Path(".gemel/feedback")
    false_alarms_per_year: float = Field(default=0.5, ge=0.1, le=12)
    least_rows: int = Field(default=100, ge=10)
    least_distance: float = Field(default=0.02, ge=0, lt=1)
    most_images: int = Field(default=1_000, ge=100, le=5_000)
    frequent_mentions: int = Field(default=50, ge=1)
    seed: int = 0
