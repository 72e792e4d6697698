"""A report is written whole or not at all, and says what can't be told and why."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from made_up_service import MONDAY, NOW, WEEK, WIDTH, answers, record

from gemel.core.errors import GemelError
from gemel.monitoring.features import Share
from gemel.monitoring.feedback import Feedback
from gemel.monitoring.files import former_reports, markdown, write_report
from gemel.monitoring.period import days_between
from gemel.monitoring.records import read_records
from gemel.monitoring.reference import Reference
from gemel.monitoring.report import Report, make_report
from gemel.monitoring.settings import MonitoringSettings

SETTINGS = MonitoringSettings(most_images=300)
Make = Callable[..., Report]


@pytest.fixture
def report(training_data: Reference, tmp_path: Path) -> Make:
    """Makes the report on rows; without any, that of a service that keeps no records."""

    def of(rows: pl.DataFrame | None = None, feedback: Feedback | None = None) -> Report:
        records = None
        if rows is not None:
            record(tmp_path / "records", rows)
            records = read_records(tmp_path / "records", WEEK, NOW, width=WIDTH, most_images=300)
        return make_report(WEEK, training_data, records, feedback, SETTINGS, NOW)

    return of


def test_report_has_three_files_of_one_content(report: Make, tmp_path: Path) -> None:
    made = report(answers(300).with_columns(text_length=pl.col("text_length") + 30))
    folder = write_report(tmp_path, made)
    assert folder == tmp_path / ".gemel/monitoring/2026-W46"
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json", "report.md"]
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert found["headline"] == made.headline == "moved: length of the texts"
    assert found["findings"][0]["distance"] == made.findings[0].distance
    for name in ("report.md", "report.html"):
        assert "2026-W46" in (folder / name).read_text()


def test_later_report_on_a_period_takes_the_place_of_the_first(report: Make, tmp_path: Path) -> None:
    write_report(tmp_path, report(answers(300)))
    folder = write_report(tmp_path, report())
    assert json.loads((folder / "report.json").read_text())["headline"] == "nothing can be told"
    assert [path.name for path in folder.parent.iterdir()] == ["2026-W46"]


def test_page_lists_the_reports_on_earlier_weeks(report: Make, tmp_path: Path) -> None:
    made = report(feedback=Feedback(20, 15, 0))
    mondays = [MONDAY + timedelta(days=7 * place) for place in range(4)]
    weeks = [replace(made, period=days_between(*days)) for days in pairwise(mondays)]
    for each in weeks:
        write_report(tmp_path, each)
    (tmp_path / ".gemel/monitoring/2026-W47/report.json").write_text("{")
    found = former_reports(tmp_path, weeks[2])
    assert [(each.name, each.headline) for each in found] == [
        ("2026-W46", "nothing can be told"),
        ("2026-W47", "this report can't be read"),
    ]
    assert found[0].corrected == Share(15, 20)
    assert former_reports(tmp_path, weeks[0]) == found[1:]


def test_report_that_cant_be_written_leaves_the_former(
    report: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_report(tmp_path, report())
    before = (folder / "report.json").read_bytes()

    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(GemelError, match=r"2026-W46: can't be written .*No space left.*make room"):
        write_report(tmp_path, report(answers(300)))
    assert (folder / "report.json").read_bytes() == before


def test_service_without_records_is_told_which_setting_turns_them_on(report: Make) -> None:
    made = report()
    assert made.headline == "nothing can be told"
    assert made.causes == ()
    assert "set `records: numbers`" in made.notes[0]
    assert "GEMEL_SERVICE_RECORDS" in markdown(made)


def test_what_users_wrote_is_in_no_file(report: Make, tmp_path: Path) -> None:
    folder = write_report(tmp_path, report(answers(300).with_columns(mention=pl.lit("Quokka"))))
    assert "mention_strings" in (folder / "report.json").read_text()
    for path in folder.iterdir():
        assert "quokka" not in path.read_text().lower()
        assert "text 0 1" not in path.read_text()


def test_answers_of_other_releases_are_named(report: Make, training_data: Reference) -> None:
    made = report(answers(300))
    assert made.releases == {"abc": 300}
    assert training_data.release is None
    assert not [note for note in made.notes if "release" in note]


def test_feedback_is_no_accuracy(report: Make) -> None:
    (note,) = [note for note in report(answers(300), Feedback(20, 15, 2)).notes if note.startswith("Feedback:")]
    assert "of 20 mentions 15 were corrected, 75 % (53 – 89)" in note
    assert "no accuracy" in note


def test_causes_of_the_alarm_are_the_features_that_moved(report: Make) -> None:
    (cause,) = report(answers(300).with_columns(sure=pl.lit(False))).causes
    assert (cause.report, cause.feature) == ("2026-W46", "sure")
    assert cause.distance > cause.threshold
