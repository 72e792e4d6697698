"""The alarm is opened once, grows while it is open, and is closed by a retraining."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gemel.core.errors import DataError
from gemel.monitoring.alarm import ALARM, FOLDER, Cause, close_alarm, past_alarms, raise_alarm, read_alarm

FIRST, LATER = datetime(2026, 11, 16, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)


def cause(feature: str = "nil", report: str = "2026-W46", distance: float = 0.2) -> Cause:
    return Cause(report=report, feature=feature, distance=distance, threshold=0.1, words="1 % → 21 %")


def test_without_a_cause_none_is_opened(tmp_path: Path) -> None:
    assert raise_alarm(tmp_path, ()) is None
    assert read_alarm(tmp_path) is None


def test_alarm_is_read_as_it_was_opened(tmp_path: Path) -> None:
    alarm = raise_alarm(tmp_path, [cause()], FIRST)
    assert alarm is not None
    assert read_alarm(tmp_path) == alarm
    assert (alarm.opened, alarm.features, alarm.reports) == (FIRST, ("nil",), ("2026-W46",))


def test_second_alarm_adds_to_the_first(tmp_path: Path) -> None:
    raise_alarm(tmp_path, [cause()], FIRST)
    alarm = raise_alarm(tmp_path, [cause("sure", "2026-W47")], LATER)
    assert alarm is not None
    assert (alarm.opened, alarm.features) == (FIRST, ("nil", "sure"))


def test_week_without_a_cause_leaves_the_alarm_open(tmp_path: Path) -> None:
    opened = raise_alarm(tmp_path, [cause()], FIRST)
    assert raise_alarm(tmp_path, (), LATER) == opened


def test_second_report_on_a_week_replaces_its_causes(tmp_path: Path) -> None:
    raise_alarm(tmp_path, [cause(distance=0.2)], FIRST)
    alarm = raise_alarm(tmp_path, [cause(distance=0.3)], LATER)
    assert alarm is not None
    assert [each.distance for each in alarm.causes] == [0.3]


def test_closed_alarm_is_kept_with_its_run(tmp_path: Path) -> None:
    raise_alarm(tmp_path, [cause()], FIRST)
    closed = close_alarm(tmp_path, "run-7", LATER)
    assert read_alarm(tmp_path) is None
    assert past_alarms(tmp_path) == (closed,)
    assert closed is not None
    assert (closed.run, closed.closed) == ("run-7", LATER)


def test_report_that_was_answered_opens_no_other(tmp_path: Path) -> None:
    raise_alarm(tmp_path, [cause()], FIRST)
    close_alarm(tmp_path, "run-7")
    assert raise_alarm(tmp_path, [cause()]) is None
    assert raise_alarm(tmp_path, [cause(report="2026-W47")]) is not None


def test_nothing_is_closed_where_nothing_is_open(tmp_path: Path) -> None:
    assert close_alarm(tmp_path, "run-7") is None
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("content", ["", "{", '{"open": {"opened": "yesterday", "causes": []}}', '{"format": 9}'])
def test_damaged_file_is_no_silence(tmp_path: Path, content: str) -> None:
    raise_alarm(tmp_path, [cause()])
    (tmp_path / FOLDER / ALARM).write_text(content)
    with pytest.raises(DataError, match=r"alarm\.json: .*move it away to begin without an alarm"):
        read_alarm(tmp_path)


def test_alarms_that_are_raised_at_once_are_all_kept(tmp_path: Path) -> None:
    features = [f"feature {number}" for number in range(8)]
    threads = [threading.Thread(target=raise_alarm, args=(tmp_path, [cause(name)])) for name in features]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alarm = read_alarm(tmp_path)
    assert alarm is not None
    assert sorted(alarm.features) == features
