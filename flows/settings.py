"""How retraining and monitoring go: conf/retraining.yaml. No stage reads it, so that a change re-runs nothing."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gemel.core.errors import ConfigError
from gemel.gate.settings import GateSettings
from gemel.intake.settings import IntakeSettings
from gemel.monitoring.settings import MonitoringSettings

FILE = Path("conf/retraining.yaml")


class RetrainingSettings(BaseModel):
    """Settings of flows.retrain and flows.monitor.

    branch: of the line of runs. follow: the branch whose commits it takes over; null: the one that the checkout is on.
    remote: of DVC, that data are pushed to; null: its default. push_to: git remote for branch and tags; null: none.
    retries: of each stage that fails. lease_minutes: after which a run that gives no sign of life may be replaced.
    build_bento: whether a promoted release is built as a bento. notify: slugs of Prefect's notification blocks.
    audit: folder of links that people judged, which count beside the test set; null: none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    branch: str = "retraining"
    follow: str | None = None
    remote: str | None = None
    push_to: str | None = None
    retries: int = Field(default=1, ge=0)
    lease_minutes: float = Field(default=10.0, gt=0)
    build_bento: bool = True
    notify: tuple[str, ...] = ()
    audit: Path | None = None
    gate: GateSettings = GateSettings()
    intake: IntakeSettings = IntakeSettings()
    monitoring: MonitoringSettings = MonitoringSettings()


def read_settings(root: Path) -> RetrainingSettings:
    """The settings of a checkout; the defaults where it has no such file.

    Raises: ConfigError if the file is no YAML mapping, or a setting is unknown or has a value that can't be used.
    """
    path = root / FILE
    if not path.is_file():
        return RetrainingSettings()
    try:
        return RetrainingSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, issue['loc']))}: {issue['msg']}, found {issue['input']!r}"
            for issue in error.errors(include_url=False)
        )
        raise ConfigError(f"{path}: {'; '.join(problems)}; docs/retraining.md lists the settings") from None
