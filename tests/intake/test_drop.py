"""Only whole batches are taken; the others wait, and the reason is told."""

import json
import os
import re
from pathlib import Path

import pytest
from intake_world import NOW, aged, drop, gathered, ids, picture, row, settings, vouch, why

from gemel.core.errors import ConfigError
from gemel.intake.batch import gather
from gemel.intake.settings import CapSettings
from gemel.intake.settling import remember

NEW = row("n1", "A new Jaguar")


def reason(root: Path, **chosen: object) -> str:
    """Why the one batch waits; nothing of it comes in."""
    batch = gathered(root, settings(**chosen))  # type: ignore[arg-type]
    assert batch.is_empty
    (waiting,) = batch.waiting
    return waiting.reason


def test_absent_default_folder_is_empty(root: Path) -> None:
    batch = gathered(root)
    assert (batch.is_empty, batch.waiting, batch.counts) == (True, (), {})


def test_missing_configured_folder_says_how_to_make_it(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"inbox: no such folder, but the setting intake.drop names it; make it with"):
        gathered(root, settings(drop=Path("inbox")))


def test_vouched_batch_is_taken_at_once(root: Path) -> None:
    drop(root, [NEW])
    assert ids(gathered(root)) == ["n1"]


def test_configured_folder_is_read(root: Path) -> None:
    drop(root, [NEW])
    (root / ".gemel/drop").rename(root / "inbox")
    assert ids(gathered(root, settings(drop=Path("inbox")))) == ["n1"]


def test_batch_that_was_left_alone_is_taken(root: Path) -> None:
    aged(drop(root, [NEW], vouched=False), 61)
    assert ids(gathered(root)) == ["n1"]


def test_batch_that_was_just_touched_waits(root: Path) -> None:
    aged(drop(root, [NEW], vouched=False), 30)
    assert reason(root).startswith("changed 30 s ago; it is taken when it was left alone for 60 s")


def test_file_that_is_added_makes_the_folder_young(root: Path) -> None:
    folder = aged(drop(root, [NEW], images={"images/a.png": picture()}, vouched=False), 100)
    os.utime(folder / "images", (NOW - 5, NOW - 5))
    assert "changed 5 s ago" in reason(root)


@pytest.mark.parametrize("name", ["images/a.png.part", "x.tmp", ".posts.jsonl.swp", "images/.hidden/a.png"])
def test_unfinished_names_wait(root: Path, name: str) -> None:
    aged(drop(root, [NEW], images={name: b"x"}, vouched=False), 100)
    assert f"{name}: still being written by its name" in reason(root)


def test_last_line_without_a_line_feed_waits(root: Path) -> None:
    folder = drop(root, [NEW], vouched=False)
    (folder / "posts.jsonl").write_text(json.dumps(NEW))
    aged(folder, 100)
    assert "posts.jsonl: its last line has no line feed" in reason(root)


def test_batch_without_posts_waits(root: Path) -> None:
    folder = drop(root, [NEW], vouched=False)
    (folder / "posts.jsonl").unlink()
    assert reason(root) == "no posts.jsonl yet"


def test_batch_waits_for_an_image_that_a_post_names(root: Path) -> None:
    aged(drop(root, [NEW | {"image": "images/a.png"}], vouched=False), 100)
    assert reason(root) == "images/a.png: a post names it, but it is not there yet"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            '{"files": {"posts.jsonl": "00"}}',
            r"posts.jsonl: its SHA-256 is \w+…, but batch.json says 00…; half written",
        ),
        ('{"files": {}}', r"posts.jsonl: not in batch.json; name it there with its SHA-256"),
        ('{"files": {"posts', r"batch.json: not .* or half written"),
    ],
)
def test_voucher_is_checked(root: Path, content: str, words: str) -> None:
    (drop(root, [NEW]) / "batch.json").write_text(content)
    assert re.match(words, reason(root))


def test_voucher_names_what_is_missing(root: Path) -> None:
    folder = drop(root, [NEW], images={"images/a.png": picture()})
    (folder / "images/a.png").unlink()
    assert reason(root) == "images/a.png: batch.json names it, but it is not there yet"


def test_vouched_batch_that_lacks_an_image_loses_that_row_alone(root: Path) -> None:
    drop(root, [NEW, row("n2", "No picture of a Jaguar", image="images/a.png")])
    batch = gathered(root)
    assert ids(batch) == ["n1"]
    ((rule, said),) = why(batch)
    assert (rule, said[-12:]) == ("image", "no such file")


def test_links_are_refused(root: Path) -> None:
    folder = drop(root, [NEW | {"image": "images/a.png"}], vouched=False)
    (folder / "images").mkdir()
    (folder / "images/a.png").symlink_to("/etc/passwd")
    assert "images/a.png: a link; put files there themselves" in reason(root)


def test_linked_batch_is_refused(root: Path, tmp_path: Path) -> None:
    folder = drop(root, [NEW])
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert "b1: a link; put the folder there itself" in reason(root)


def test_image_outside_the_batch_is_refused(root: Path) -> None:
    drop(root, [NEW | {"image": "../../../data/tiny/images/train.png"}])
    assert why(gathered(root)) == [("row", "image: '../../../data/tiny/images/train.png' leads out of the batch")]


def test_too_large_a_batch_is_refused(root: Path) -> None:
    drop(root, [NEW])
    (waiting,) = gathered(root, settings(CapSettings(batch_bytes=10))).waiting
    assert "more than 1000000, 10 or 1073741824; divide it, or raise intake.caps" in waiting.reason
    assert waiting.stuck


def test_batch_that_can_not_be_read_keeps_no_other_out(root: Path) -> None:
    (drop(root, [NEW], vouched=False) / "posts.jsonl").write_bytes('\ufeff{"id"}\n'.encode("utf-16-be"))
    vouch(root / ".gemel/drop/wire/b1")
    drop(root, [NEW], batch="b2")
    batch = gathered(root)
    assert ids(batch) == ["n1"]
    assert "not UTF-8 text but UTF-16; convert it first" in batch.waiting[0].reason


def test_source_can_not_pass_for_the_feedback(root: Path) -> None:
    drop(root, [NEW], source="feedback")
    assert reason(root) == "the name is that of the service's corrections; take another"


def test_file_beside_the_batches_is_told(root: Path) -> None:
    drop(root, [NEW])
    (root / ".gemel/drop/wire/posts.jsonl").write_text("")
    (waiting,) = gathered(root).waiting
    assert waiting.reason.endswith("posts.jsonl: not a folder; batches lie at SOURCE/BATCH/ in the drop folder")


def dated_in_the_future(root: Path) -> Path:
    return aged(drop(root, [NEW], vouched=False), -3600)


def test_batch_from_the_future_is_taken_when_a_second_look_sees_the_same(root: Path) -> None:
    dated_in_the_future(root)
    first = gathered(root)
    assert first.waiting[0].reason.startswith("dated 3600 s in the future; it is taken when a second look 60 s later")
    remember(first, root)
    assert gather(root, root / "data", "tiny", settings(), now=NOW + 59).is_empty
    assert ids(gather(root, root / "data", "tiny", settings(), now=NOW + 60)) == ["n1"]


def test_batch_from_the_future_that_grows_waits_on(root: Path) -> None:
    folder = dated_in_the_future(root)
    remember(gathered(root), root)
    with (folder / "posts.jsonl").open("a") as file:
        file.write(json.dumps(row("n2", "Another Jaguar")) + "\n")
    aged(folder, -3600)
    assert gather(root, root / "data", "tiny", settings(), now=NOW + 100).is_empty


def test_clock_that_was_set_back_does_not_block_a_look_for_ever(root: Path) -> None:
    dated_in_the_future(root)

    def look(now: float) -> list[str]:
        batch = gather(root, root / "data", "tiny", settings(), now=now)
        remember(batch, root)
        return ids(batch)

    assert [look(NOW + 1000), look(NOW), look(NOW + 61)] == [[], [], ["n1"]]


def test_voucher_survives_a_date_in_the_future(root: Path) -> None:
    folder = dated_in_the_future(root)
    vouch(folder)
    aged(folder, -3600)
    assert ids(gathered(root)) == ["n1"]
