"""What moved is found, what did not is left alone, and what can't be told is said to be so."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from made_up_service import MONDAY, NOW, WEEK, WIDTH, answers, record

from gemel.monitoring.drift import Finding, allowed, compare
from gemel.monitoring.features import FEATURES
from gemel.monitoring.feedback import Feedback
from gemel.monitoring.period import Period
from gemel.monitoring.records import read_records
from gemel.monitoring.reference import Reference
from gemel.monitoring.settings import MonitoringSettings

RARE = 0.01
Findings = dict[str, Finding]


@pytest.fixture
def found(training_data: Reference, tmp_path: Path) -> Any:
    """Compares rows with the training data; gives the findings by feature."""

    def of(rows: pl.DataFrame, feedback: Feedback | None = None, **settings: Any) -> Findings:
        record(tmp_path, rows)
        records = read_records(tmp_path, WEEK, NOW, width=WIDTH, most_images=300)
        used = MonitoringSettings(**{"most_images": 300} | settings)
        return {each.feature: each for each in compare(training_data, records, feedback, used, RARE)}

    return of


def verdicts(findings: Findings) -> dict[str, str]:
    return {name: each.verdict for name, each in findings.items()}


def moved(findings: Findings) -> set[str]:
    return {name for name, verdict in verdicts(findings).items() if verdict == "moved"}


def test_answers_like_the_training_data_move_nothing(found: Any) -> None:
    findings = found(answers(300), Feedback(4, 3, 0))
    assert list(findings) == list(FEATURES)
    assert set(verdicts(findings).values()) == {"steady"}


@pytest.mark.parametrize(
    ("change", "features"),
    [
        ({"text_length": pl.col("text_length") + 30}, {"text_length"}),
        ({"image": pl.lit("none"), "image_vector": pl.lit(None, pl.List(pl.Float16))}, {"image_missing"}),
        ({"image_vector": pl.col("image_vector").list.eval(pl.element() + 1.0)}, {"images"}),
        ({"mention": pl.lit("Quokka")}, {"mention_unseen", "mention_strings"}),
        ({"mention": pl.lit("Crane")}, {"mention_strings"}),
        ({"probability": pl.col("probability") / 2}, {"probability"}),
        ({"sure": pl.lit(False)}, {"sure"}),
        ({"nil": pl.col("probability") < 0.4}, {"nil"}),
    ],
)
def test_change_moves_its_own_features(found: Any, change: dict[str, pl.Expr], features: set[str]) -> None:
    assert moved(found(answers(300).with_columns(**change))) == features


def test_few_rows_tell_nothing(found: Any) -> None:
    findings = found(answers(99).with_columns(text_length=pl.lit(4_000, pl.UInt32)))
    assert set(verdicts(findings).values()) == {"can't tell"}
    assert findings["text_length"].words == "99 rows in the period, 100 are needed"


def test_week_without_rows_tells_nothing(found: Any) -> None:
    findings = found(answers(300, day=MONDAY - timedelta(days=1)))
    assert {each.words for each in findings.values()} == {
        "0 rows in the period, 100 are needed",
        "there is no feedback",
    }


def test_service_without_records_tells_nothing(training_data: Reference) -> None:
    findings = compare(training_data, None, None, MonitoringSettings(), RARE)
    assert {each.words for each in findings} == {"the service keeps no records"}


def test_numbers_alone_say_nothing_of_mentions(found: Any) -> None:
    findings = found(answers(300).with_columns(pl.lit(None, pl.String).alias(name) for name in ("text", "mention")))
    untold = {name for name, verdict in verdicts(findings).items() if verdict == "can't tell"}
    assert untold == {"mention_unseen", "mention_strings", "reported_wrong"}
    assert findings["mention_unseen"].words == "not recorded: the service's records are numbers alone"


def test_vectors_of_another_encoder_tell_nothing(found: Any) -> None:
    finding = found(answers(300, image_vector=[[0.5] * 4] * 300))["images"]
    assert finding.verdict == "can't tell"
    assert "300 have not its width of 8" in finding.words


def test_small_distance_is_no_alarm_however_sure(found: Any) -> None:
    rows = answers(300).with_columns(sure=pl.lit(False))
    assert "sure" in moved(found(rows))
    assert "sure" not in moved(found(rows, least_distance=0.9))


def test_more_reports_than_the_test_has_errors_alarm(found: Any) -> None:
    # A fifth of the test's answers are wrong.
    assert "reported_wrong" in moved(found(answers(300), Feedback(120, 110, 0)))
    assert "reported_wrong" not in moved(found(answers(300), Feedback(40, 40, 0)))


def test_reports_on_answers_of_other_periods_tell_nothing(found: Any) -> None:
    finding = found(answers(120), Feedback(150, 130, 0))["reported_wrong"]
    assert "130 reports on 120 recorded answers" in finding.words


def test_equal_rows_give_equal_findings(found: Any) -> None:
    assert found(answers(300)) == found(answers(300))


def test_false_alarms_are_shared_out_over_the_reports_of_a_year() -> None:
    month = Period(WEEK.start, WEEK.start.replace(month=12))
    assert allowed(WEEK, 0.5) == pytest.approx(0.5 * 7 / 365.25)
    assert allowed(month, 0.5) == pytest.approx(0.5 * 30 / 365.25)
