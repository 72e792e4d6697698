"""Answers become rows of Parquet files; no request waits or fails for one."""

import re
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bento import records
from bento.batcher import Timed
from bento.engine import Linked
from bento.records import CONTENT, Recorder
from gemel.core.schema import Candidate, Link, Mention, Post
from gemel.record_columns import RECORD_COLUMNS

POST = Post("A Jaguar at dusk", (Mention("Jaguar"),))
CARS, CAT = Candidate("Q30055", "Jaguar Cars", -0.25, 0.75), Candidate("Q35694", "Jaguar", -0.75, 0.125)
HOUR = 3_600.0


def answer(*candidates: Candidate, **more: Any) -> Timed[Linked]:
    links = (Link("", POST.mentions[0], candidates or (CARS, CAT), **more),)
    return Timed(Linked(links, (None,), "abc"), waited=0.25, worked=0.5, together=3)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.parquet"))


def recorded(folder: Path, level: Any = "texts", *answers: Timed[Linked], **more: Any) -> dict[str, Any]:
    """The only row that is written of an answer."""
    recorder = Recorder(folder, level, rows=10, seconds=HOUR)
    for each in answers or (answer(),):
        recorder.add(POST, each, "r1", **more)
    recorder.close()
    (file,) = files(folder)
    return pl.read_parquet(file).row(0, named=True)


def wait_for(found: Any) -> None:
    """Until it is so; the writer is another thread."""
    until = time.monotonic() + 20
    while not found():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.005)


def test_row_holds_what_was_asked_and_answered(tmp_path: Path) -> None:
    row = recorded(tmp_path, "texts", answer(image="read", nil_probability=0.125, sure=True))
    assert abs((datetime.now(UTC) - row.pop("time")).total_seconds()) < HOUR
    assert row == {
        "request_id": "r1",
        "release": "abc",
        "text_length": 16,
        "text": "A Jaguar at dusk",
        "mention": "Jaguar",
        "image": "read",
        "image_vector": None,
        "entity_id": "Q30055",
        "name": "Jaguar Cars",
        "score": -0.25,
        "probability": 0.75,
        "margin": 0.5,
        "candidates": 2,
        "nil": False,
        "nil_probability": 0.125,
        "sure": True,
        "waited_ms": 250.0,
        "worked_ms": 500.0,
        "together": 3,
    }


def test_files_have_the_columns_of_the_schema(tmp_path: Path) -> None:
    recorded(tmp_path)
    assert pl.read_parquet_schema(files(tmp_path)[0]) == RECORD_COLUMNS


def test_every_column_is_explained() -> None:
    page = Path(__file__).parents[2] / "docs" / "records.md"
    assert re.findall(r"^\| `(\w+)` \|", page.read_text(), flags=re.MULTILINE) == list(RECORD_COLUMNS)


def test_numbers_hold_nothing_that_a_user_wrote(tmp_path: Path) -> None:
    row = recorded(tmp_path, "numbers")
    assert [row[column] for column in CONTENT] == [None, None]


def test_nil_answer_keeps_the_best_candidate(tmp_path: Path) -> None:
    row = recorded(tmp_path, "numbers", answer(CARS, nil=True))
    assert (row["nil"], row["entity_id"], row["margin"], row["candidates"]) == (True, "Q30055", None, 1)


def test_why_an_image_was_unreadable_is_left_out(tmp_path: Path) -> None:
    assert recorded(tmp_path, "numbers", answer(image="unreadable: /home/a.png: no"))["image"] == "unreadable"


def test_vector_of_the_image_is_kept_in_half_precision(tmp_path: Path) -> None:
    row = recorded(tmp_path, "numbers", vector=np.array([0.1, -2.0], np.float32))
    assert row["image_vector"] == [float(np.float16(0.1)), -2.0]


def test_file_lies_in_the_folder_of_its_day(tmp_path: Path) -> None:
    recorded(tmp_path)
    (file,) = files(tmp_path)
    assert file.parent.name == f"{pl.read_parquet(file)['time'][0]:%Y-%m-%d}"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_file_is_written_when_the_rows_are_enough(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "numbers", rows=2, seconds=HOUR)
    recorder.add(POST, answer(), "r1")
    recorder.add(POST, answer(), "r2")
    wait_for(lambda: files(tmp_path))
    assert pl.read_parquet(files(tmp_path)[0])["request_id"].to_list() == ["r1", "r2"]
    recorder.close()


def test_file_is_written_when_its_time_has_come(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "numbers", rows=100, seconds=0.01)
    recorder.add(POST, answer(), "r1")
    wait_for(lambda: files(tmp_path))
    recorder.close()


def test_no_file_without_rows(tmp_path: Path) -> None:
    Recorder(tmp_path, "numbers", rows=1, seconds=0.01).close()
    assert list(tmp_path.iterdir()) == []


def test_threads_lose_no_row(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "numbers", rows=50, seconds=0.001)

    def work() -> None:
        for number in range(100):
            recorder.add(POST, answer(), str(number))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    assert sum(pl.read_parquet(file).height for file in files(tmp_path)) == 400
    assert max(pl.read_parquet(file).height for file in files(tmp_path)) <= 50
    assert recorder.lost == 0


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_full_disk_loses_rows_that_are_counted_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR", "gemel.service")
    recorder = Recorder(tmp_path, "numbers", rows=1, seconds=HOUR)
    with monkeypatch.context() as patch:
        patch.setattr(pl.DataFrame, "write_parquet", full)
        recorder.add(POST, answer(), "r1")
        wait_for(lambda: recorder.lost == 1)
    recorder.add(POST, answer(), "r2")
    recorder.close()
    (file,) = files(tmp_path)
    assert pl.read_parquet(file)["request_id"].to_list() == ["r2"]
    assert "No space left" in str(caplog.records[0].facts)  # type: ignore[attr-defined]


def test_rows_wait_in_bounded_memory_while_the_disk_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, released = threading.Event(), threading.Event()
    write = pl.DataFrame.write_parquet

    def slow(*given: Any, **more: Any) -> None:
        at_work.set()
        released.wait(20)
        write(*given, **more)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", slow)
    monkeypatch.setattr(records, "MOST_WAITING", 3)
    recorder = Recorder(tmp_path, "numbers", rows=1, seconds=HOUR)
    recorder.add(POST, answer(), "r0")
    assert at_work.wait(20)
    for number in range(1, 6):
        recorder.add(POST, answer(), f"r{number}")
    assert recorder.lost == 2
    released.set()
    recorder.close()
    assert len(files(tmp_path)) == 4


def test_closed_recorder_counts_what_still_comes(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "numbers", rows=1, seconds=HOUR)
    recorder.close()
    recorder.add(POST, answer(), "r1")
    recorder.close()
    assert (recorder.lost, files(tmp_path)) == (1, [])


def made_up(folder: Path, day: str, name: str, size: int = 100_000) -> Path:
    (folder / day).mkdir(exist_ok=True)
    (folder / day / name).write_bytes(bytes(size))
    return folder / day / name


def test_oldest_days_go_first_and_whole(tmp_path: Path) -> None:
    made_up(tmp_path, "2026-01-01", "part-1.parquet")
    made_up(tmp_path, "2026-01-01", "part-2.parquet")
    made_up(tmp_path, "2026-01-01", ".part-3.parquet.draft")
    left = made_up(tmp_path, "2026-01-02", "part-1.parquet")
    other = made_up(tmp_path, "notes", "part-1.parquet")
    recorder = Recorder(tmp_path, "numbers", rows=1, seconds=HOUR, max_bytes=250_000)
    recorder.add(POST, answer(), "r1")
    recorder.close()
    assert not (tmp_path / "2026-01-01").exists()
    assert left.is_file()
    assert other.is_file()


def test_of_the_last_day_only_the_oldest_files_go(tmp_path: Path) -> None:
    first, second = (made_up(tmp_path, "9999-01-01", f"part-{number}.parquet") for number in (1, 2))
    recorder = Recorder(tmp_path, "numbers", rows=1, seconds=HOUR, max_bytes=150_000)
    recorder.add(POST, answer(), "r1")
    recorder.close()
    assert (first.exists(), second.exists()) == (False, True)
