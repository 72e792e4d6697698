"""The flow reports on a week of the service, opens the alarm, and starts the retraining where it is deployed."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from made_up_service import MONDAY, WEEK, answers, record, write_artifacts
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows import monitor as module
from flows.monitor import RETRAINING, chosen_period, monitor
from gemel.core.errors import ArtifactError
from gemel.monitoring.alarm import read_alarm
from gemel.monitoring.files import PAGE
from gemel.monitoring.settings import MonitoringSettings

SETTINGS = MonitoringSettings(most_images=100)
DAYS = {"start": MONDAY, "until": WEEK.until.date(), "settings": SETTINGS}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose service was asked as its training data would."""
    write_artifacts(tmp_path / "artifacts")
    record(tmp_path / ".gemel/records", answers(200))
    return tmp_path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What was started in place of deployments."""
    found: list[tuple[str, dict[str, Any]]] = []

    def run(name: str, **options: Any) -> SimpleNamespace:
        found.append((name, options))
        return SimpleNamespace(name="quick-jaguar")

    monkeypatch.setattr(module, "run_deployment", run)
    return found


def shorten(root: Path) -> None:
    record(root / ".gemel/records", answers(200).with_columns(sure=pl.lit(False)))


def test_quiet_week_has_a_report_and_no_alarm(root: Path, started: list[Any]) -> None:
    report = monitor(root, **DAYS)
    assert report.headline.startswith("nothing moved")
    assert (root / ".gemel/monitoring/2026-W46" / PAGE).is_file()
    assert read_alarm(root) is None
    assert started == []


def test_week_that_moved_opens_the_alarm_and_starts_the_retraining(root: Path, started: list[Any]) -> None:
    shorten(root)
    monitor(root, **DAYS)
    alarm = read_alarm(root)
    assert alarm is not None
    assert alarm.features == ("sure",)
    ((name, options),) = started
    assert name == RETRAINING
    assert options["timeout"] == 0


def test_alarm_stays_open_where_no_retraining_is_deployed(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    shorten(root)
    monitor(root, **DAYS)
    assert read_alarm(root) is not None
    assert "the server has no deployment retrain/retrain; the alarm stays open" in caplog.text


def test_report_is_on_prefects_page(root: Path) -> None:
    monitor(root, **DAYS)
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["monitoring", "monitoring-features"]))
    with get_client(sync_client=True) as client:
        found = {artifact.key: str(artifact.data) for artifact in client.read_artifacts(artifact_filter=wanted)}
    assert "# Monitoring, 2026-W46" in found["monitoring"]
    assert "text_length" in found["monitoring-features"]


def test_project_without_artifacts_is_told_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"run `dvc repro"):
        monitor(tmp_path, **DAYS)


def test_service_without_records_still_has_a_report(
    root: Path, started: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    report = monitor(root, **DAYS | {"settings": SETTINGS.model_copy(update={"records_folder": Path("elsewhere")})})
    assert report.headline == "nothing can be told"
    assert "set `records: numbers`" in caplog.text
    assert started == []


@pytest.mark.parametrize(
    ("start", "until", "name"),
    [
        (None, None, "2026-W46"),
        (date(2026, 11, 2), None, "2026-W45"),
        (None, date(2026, 11, 9), "2026-W45"),
        (date(2026, 11, 2), date(2026, 11, 4), "2026-11-02_2026-11-03"),
    ],
)
def test_period_is_the_one_that_is_meant(start: date | None, until: date | None, name: str) -> None:
    assert chosen_period(start, until, datetime(2026, 11, 20, tzinfo=UTC)).name == name


def test_error_for_people_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["monitor", "--from", "2026-11-02", "--until", "2026-11-02"])
    with pytest.raises(SystemExit, match="error: a period from 2026-11-02 until 2026-11-02 holds no day"):
        module.main()
