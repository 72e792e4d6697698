"""Of the feedback the last word on each mention of a period counts."""

from pathlib import Path

from made_up_service import NOW, WEEK, feedback_line

from gemel.monitoring.feedback import Feedback, read_feedback


def read(folder: Path, *lines: str) -> Feedback | None:
    (folder / "feedback.jsonl").write_text("\n".join(lines))
    return read_feedback(folder, WEEK, NOW)


def test_without_a_file_there_is_no_feedback(tmp_path: Path) -> None:
    assert read_feedback(tmp_path, WEEK, NOW) is None


def test_empty_file_has_no_mentions(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Feedback(0, 0, 0)


def test_entity_that_was_not_answered_is_an_error(tmp_path: Path) -> None:
    lines = (feedback_line("Q2", "Q1", text="a"), feedback_line("Q1", "Q1", text="b"), feedback_line(None, None))
    assert read(tmp_path, *lines) == Feedback(mentions=3, wrong=1, damaged=0)


def test_last_word_on_a_mention_counts(tmp_path: Path) -> None:
    assert read(tmp_path, feedback_line("Q2", "Q1"), feedback_line("Q1", "Q1")) == Feedback(1, 0, 0)


def test_other_periods_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, feedback_line("Q2", "Q1", time="2026-11-16T00:00:00+00:00")) == Feedback(0, 0, 0)


def test_damaged_lines_are_counted(tmp_path: Path) -> None:
    assert read(tmp_path, feedback_line("Q2", "Q1"), '{"text": "The Jag') == Feedback(1, 1, 1)
