"""The service's corrections become training posts."""

import json
from pathlib import Path

import pytest
from intake_world import correction, gathered, picture, say, settings, why

from gemel.core.errors import DataError
from gemel.intake.settings import SuspicionSettings

CALM = settings(suspicion=SuspicionSettings(known=100))


def solved(root: Path) -> list[tuple[str, str | None]]:
    rows = [each.row for each in gathered(root, CALM).rows]
    return [(row["text"], row["mentions"][0]["entity"]) for row in rows]


def test_correction_becomes_a_training_post_with_its_image(root: Path) -> None:
    folder = say(root, correction("A Jaguar at dusk", image=picture()), image=picture())
    (candidate,) = gathered(root, CALM).rows
    line = candidate.line_content
    assert (line["split"], line["source"], line["mentions"][0]["start"]) == ("train", "feedback", 2)
    assert (folder / line["image"]).read_bytes() == picture()


def test_last_word_on_a_mention_counts(root: Path) -> None:
    say(
        root, correction("A Jaguar at dusk", "Q2"), correction("Two Jaguar", "Q2"), correction("A Jaguar at dusk", "Q1")
    )
    assert solved(root) == [("Two Jaguar", "Q2"), ("A Jaguar at dusk", "Q1")]


def test_torn_line_is_none(root: Path) -> None:
    folder = say(root, correction("A Jaguar at dusk"))
    with (folder / "feedback.jsonl").open("a") as file:
        file.write(json.dumps(correction("Two Jaguar"))[:50])
    batch = gathered(root, CALM)
    assert (len(batch.rows), batch.rejected) == (1, ())


def test_empty_file_holds_nothing(root: Path) -> None:
    say(root)
    assert gathered(root).is_empty


def test_file_that_can_not_be_read_is_named(root: Path) -> None:
    (root / ".gemel/feedback/feedback.jsonl").mkdir(parents=True)
    with pytest.raises(DataError, match=r"feedback.jsonl: can't be read .*; see who may read it"):
        gathered(root)


def test_line_that_can_not_be_used_is_kept_with_its_reason(root: Path) -> None:
    bad = correction("Three Jaguar") | {"mentions": []}
    say(root, bad, correction("A Jaguar at dusk"), {"a": 1}, correction("A late Jaguar") | {"time": "noon"})
    batch = gathered(root, CALM)
    assert [each.row["text"] for each in batch.rows] == ["A Jaguar at dusk"]
    reasons = [reason for _, reason in why(batch)]
    assert "at least 1 item" in reasons[0]
    assert "id: Field required" in reasons[1]
    assert "noon" in reasons[2]


def test_correction_to_no_entity_comes_in(root: Path) -> None:
    say(root, correction("A Jaguar at dusk", None))
    assert solved(root) == [("A Jaguar at dusk", None)]


def test_changed_image_is_refused(root: Path) -> None:
    folder = say(root, correction("A Jaguar at dusk", image=picture()), image=picture())
    next((folder / "images").iterdir()).write_bytes(picture(1))
    assert [(rule, reason[-45:]) for rule, reason in why(gathered(root))] == [
        ("image", "png: its SHA-256 is not its name; it was changed"[-45:])
    ]


def test_corrections_never_go_to_dev(root: Path) -> None:
    say(root, *(correction(f"Jaguar number {number}", "Q2", at=number * 4000) for number in range(5)))
    batch = gathered(root, settings(suspicion=SuspicionSettings(known=100, most_alike=9), dev_share=1))
    assert {each.row["split"] for each in batch.rows} == {"train"}
    assert len(batch.rows) == 5
