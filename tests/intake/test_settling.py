"""A batch comes into a data set, and what became of it is written down; twice is once."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from intake_world import correction, drop, gathered, ids, lines_of, picture, row, say, settings

from gemel.core.errors import DataError, GemelError, RequestError
from gemel.intake.applying import apply
from gemel.intake.batch import Batch
from gemel.intake.places import state_places
from gemel.intake.quarantine import decide, read_quarantine
from gemel.intake.settings import CapSettings
from gemel.intake.settling import remember, settle, tried
from gemel.posts.dataset import read_dataset

NEW = [row("n1", "A new Jaguar", "Q99", image="images/a.png"), row("n2", "Another Jaguar")]
HOLD = """
import pathlib, sys, time, filelock
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
with filelock.FileLock(folder / ".lock"):
    print(flush=True)
    time.sleep(60)
"""
BAND = {"id": "Q99", "label": "Jaguar (band)"}


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def batch(root: Path) -> Batch:
    """Two posts, one of them with an image and a new entity."""
    drop(root, NEW, entities=[BAND], images={"images/a.png": picture()})
    return gathered(root)


@pytest.fixture
def data_set(root: Path) -> Path:
    return root / "data/tiny"


def test_look_writes_nothing(root: Path) -> None:
    drop(
        root,
        [*NEW, row("n3", "A frozen Jaguar"), row("n4", "A Jaguar slept", "Q2")],
        images={"images/a.png": picture()},
    )
    say(root, correction("A Jaguar at dusk"))
    before = bytes_of(root)
    gathered(root)
    assert bytes_of(root) == before


def test_applied_batch_is_part_of_the_data_set(batch: Batch, data_set: Path) -> None:
    apply(batch, data_set)
    dataset = read_dataset(data_set)
    assert dataset.posts["post_id"].to_list()[-2:] == ["n1", "n2"]
    assert dataset.posts["image_status"].to_list()[-2:] == ["read", "none"]
    assert dataset.entities[-1].entity_id == "Q99"
    assert dataset.rejected.is_empty()
    assert lines_of(data_set / "posts.jsonl")[-1]["source"] == "wire"


def test_applied_twice_is_applied_once(batch: Batch, data_set: Path) -> None:
    apply(batch, data_set)
    once = bytes_of(data_set)
    apply(batch, data_set)
    assert bytes_of(data_set) == once


def test_files_that_are_linked_elsewhere_stay_as_they_are(batch: Batch, data_set: Path, tmp_path: Path) -> None:
    before = bytes_of(data_set)
    for name in ("posts.jsonl", "entities.jsonl"):
        os.link(data_set / name, tmp_path / name)
    apply(batch, data_set)
    assert all((tmp_path / name).read_bytes() == before[name] for name in ("posts.jsonl", "entities.jsonl"))


def test_nothing_to_add_leaves_the_file_itself(batch: Batch, data_set: Path) -> None:
    apply(batch, data_set)
    before = (data_set / "posts.jsonl").stat().st_ino
    apply(batch, data_set)
    assert (data_set / "posts.jsonl").stat().st_ino == before


def test_last_line_without_a_line_feed_is_kept(batch: Batch, data_set: Path) -> None:
    path = data_set / "posts.jsonl"
    path.write_text(path.read_text().rstrip("\n"))
    apply(batch, data_set)
    assert len(lines_of(path)) == 9


def test_row_that_appeared_meanwhile_with_other_content_is_refused(batch: Batch, data_set: Path) -> None:
    with (data_set / "posts.jsonl").open("a") as file:
        file.write(json.dumps(row("n2", "Something else, Jaguar", split="train")) + "\n")
    with pytest.raises(DataError, match=r"'n2' is there with other content; gather the batch again"):
        apply(batch, data_set)


def test_image_that_was_changed_meanwhile_is_refused(batch: Batch, data_set: Path, root: Path) -> None:
    (root / ".gemel/drop/wire/b1/images/a.png").write_bytes(picture(1))
    with pytest.raises(DataError, match=r"a.png: changed since it was looked at; gather the batch again"):
        apply(batch, data_set)


def test_replaced_correction_is_left_out(batch: Batch, data_set: Path) -> None:
    apply(dataclasses.replace(batch, replaced=("p1",)), data_set)
    assert [each["id"] for each in lines_of(data_set / "posts.jsonl")] == [
        "p0",
        "p2",
        "p3",
        "p8",
        "p9",
        "p7",
        "n1",
        "n2",
    ]


def test_id_follows_from_the_content_alone(batch: Batch, root: Path) -> None:
    (root / ".gemel/drop/wire/b1").rename(root / ".gemel/drop/wire/b2")
    assert gathered(root).id == batch.id
    drop(root, [row("n3", "One more Jaguar")], batch="b3")
    assert gathered(root).id != batch.id


def test_promoted_batch_is_put_away_and_known(batch: Batch, root: Path, data_set: Path) -> None:
    apply(batch, data_set)
    settle(batch, root, "promoted", "run1")
    assert (root / ".gemel/drop/.done/wire/b1/posts.jsonl").is_file()
    assert gathered(root).is_empty


@pytest.mark.usefixtures("batch")
def test_promoted_batch_is_deleted_where_that_is_wanted(root: Path) -> None:
    settle(gathered(root, settings(keep_done=False)), root, "promoted", "run1")
    assert not list((root / ".gemel/drop").rglob("posts.jsonl"))


def test_rows_in_the_data_set_are_known_though_nothing_was_settled(batch: Batch, root: Path, data_set: Path) -> None:
    apply(batch, data_set)
    again = gathered(root)
    assert (again.is_empty, again.counts) == (True, {"wire": {"known": 3}})
    remember(again, root)
    assert not (root / ".gemel/drop/wire/b1").exists()


def test_held_batch_is_gathered_again_with_newer_ones(batch: Batch, root: Path) -> None:
    assert tried(root, batch.id) is None
    settle(batch, root, "held", "run1")
    assert (gathered(root).id, tried(root, batch.id)) == (batch.id, "run1")
    drop(root, [row("n3", "One more Jaguar")], batch="b3")
    newer = gathered(root)
    assert (ids(newer), tried(root, newer.id)) == (["n1", "n2", "n3"], None)


def test_refused_batch_is_set_aside(batch: Batch, root: Path) -> None:
    settle(batch, root, "refused", "run1")
    assert (root / ".gemel/intake/refused/run1/wire/b1/posts.jsonl").is_file()
    assert gathered(root).is_empty


def test_refused_row_that_is_dropped_again_stays_out(batch: Batch, root: Path) -> None:
    settle(batch, root, "refused", "run1")
    drop(root, [NEW[1]], batch="b2")
    again = gathered(root)
    assert again.counts == {"wire": {"held_back": 1}}
    remember(again, root)
    assert (root / ".gemel/intake/refused/run1/wire/b2").is_dir()


def test_refused_rows_come_back_when_they_are_released(batch: Batch, root: Path) -> None:
    settle(batch, root, "refused", "run1")
    assert decide(state_places(root), "released", [], run="run1") == 3
    again = gathered(root)
    assert (again.id, [each.sha256 for each in again.rows]) == (batch.id, [batch.rows[0].sha256, None])


def test_refused_correction_stays_out(root: Path) -> None:
    say(root, correction("A Jaguar at dusk"))
    settle(gathered(root), root, "refused", "run1")
    assert gathered(root).counts == {"feedback": {"held_back": 1}}


def test_folder_with_rows_for_a_later_run_stays(root: Path, data_set: Path) -> None:
    drop(root, [row("n1", "A new Jaguar"), row("n2", "Another Jaguar")])
    one = settings(CapSettings(share=1, rows=1))
    for run, wanted in (("run1", ["n1"]), ("run2", ["n2"])):
        batch = gathered(root, one)
        assert ids(batch) == wanted
        apply(batch, data_set)
        settle(batch, root, "promoted", run)
    assert (root / ".gemel/drop/.done/wire/b1").is_dir()


def test_post_that_was_taken_out_does_not_come_back(root: Path, data_set: Path) -> None:
    say(root, correction("A Jaguar at dusk"))
    before = (data_set / "posts.jsonl").read_bytes()
    batch = gathered(root)
    apply(batch, data_set)
    settle(batch, root, "promoted", "run1")
    (data_set / "posts.jsonl").write_bytes(before)
    assert gathered(root).counts == {"feedback": {"removed": 1}}


def test_quarantined_row_survives_its_batch(root: Path) -> None:
    drop(root, [row("n1", "A Jaguar slept", "Q2", image="a.png")], images={"a.png": picture(20)})
    first = gathered(root)
    remember(first, root)
    assert not (root / ".gemel/drop/wire/b1").exists()
    (key,) = read_quarantine(state_places(root))
    decide(state_places(root), "released", [key])
    again = gathered(root)
    assert (ids(again), again.rows[0].sha256) == (["n1"], first.quarantined[0].candidate.sha256)


def test_discarded_row_stays_out_for_good(root: Path) -> None:
    say(root, correction("A Jaguar slept"))
    remember(gathered(root), root)
    (key,) = read_quarantine(state_places(root))
    decide(state_places(root), "discarded", [key])
    assert gathered(root).counts == {"feedback": {"discarded": 1}}


def test_second_batch_of_one_name_does_not_replace_the_first(root: Path, data_set: Path) -> None:
    for number in range(2):
        drop(root, [row(f"n{number}", f"Jaguar number {number}")])
        batch = gathered(root)
        apply(batch, data_set)
        settle(batch, root, "promoted", f"run{number}")
    assert sorted(path.name for path in (root / ".gemel/drop/.done/wire").iterdir()) == ["b1", "b1-2"]


def test_folder_moves_to_another_disk_as_a_whole(batch: Batch, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, rename = root / ".gemel/drop/wire/b1", Path.rename

    def across(path: Path, target: Path) -> Path:
        if path == folder:
            raise OSError(errno.EXDEV, "another disk")
        return rename(path, target)

    before = bytes_of(folder)
    monkeypatch.setattr(Path, "rename", across)
    settle(batch, root, "refused", "run1")
    assert bytes_of(root / ".gemel/intake/refused/run1/wire/b1") == before
    assert not folder.exists()


def test_ledger_that_another_process_holds_is_told(batch: Batch, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.intake.ledger.PATIENCE", 0.01)
    held = subprocess.Popen([sys.executable, "-c", HOLD, str(root / ".gemel/intake")], stdout=subprocess.PIPE)
    assert held.stdout is not None
    held.stdout.readline()
    with pytest.raises(GemelError, match=r"intake: locked by another process for 0 s; wait for it and try again"):
        settle(batch, root, "held", "run1")
    held.kill()
    held.wait()


def test_settled_twice_is_settled_once(batch: Batch, root: Path) -> None:
    settle(batch, root, "refused", "run1")
    once = bytes_of(root / ".gemel")
    settle(batch, root, "refused", "run1")
    assert bytes_of(root / ".gemel") == once


def test_torn_last_line_of_the_ledger_gives_way(batch: Batch, root: Path) -> None:
    settle(batch, root, "held", "run1")
    ledger = state_places(root).ledger
    with ledger.open("a") as file:
        file.write('{"what": "settled", "bat')
    settle(batch, root, "held", "run2")
    assert [each["run"] for each in lines_of(ledger)] == ["run1", "run2"]


def test_damaged_line_of_the_ledger_is_named(batch: Batch, root: Path) -> None:
    settle(batch, root, "held", "run1")
    with state_places(root).ledger.open("a") as file:
        file.write("{\n")
    with pytest.raises(DataError, match=r"ledger.jsonl line 2: damaged .*; remove that line"):
        gathered(root)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("released", ["r1"]), r"no row 'r1' in quarantine \(nearest: .*\); `gemel intake list` shows all"),
        (("discarded", [], "run7"), r"no rows were refused in run 'run7'; runs with some: run1"),
    ],
)
def test_unknown_row_or_run_is_told(batch: Batch, root: Path, arguments: tuple[Any, ...], words: str) -> None:
    settle(batch, root, "refused", "run1")
    decision, keys, *run = arguments
    with pytest.raises(RequestError, match=words):
        decide(state_places(root), decision, keys, run=run[0] if run else None)


def test_row_that_can_never_come_in_can_not_be_released(root: Path) -> None:
    drop(root, [row("n1", "A frozen Jaguar")])
    remember(gathered(root), root)
    (key,) = read_quarantine(state_places(root))
    with pytest.raises(RequestError, match=r"can't come in: its text is that of 'p8' in test.*; mend it where it came"):
        decide(state_places(root), "released", [key])
