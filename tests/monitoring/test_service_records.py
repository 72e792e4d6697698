"""The records of a period are read whatever lies in their folder; nothing is left out in silence."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from made_up_service import MONDAY, NOW, WEEK, WIDTH, answers, record

from bento.batcher import Timed
from bento.engine import Linked
from bento.records import Recorder
from gemel.core.schema import Candidate, Link, Mention, Post
from gemel.monitoring.period import days_between
from gemel.monitoring.records import COLUMNS, Records, read_records
from gemel.record_columns import RECORD_COLUMNS


def read(folder: Path, **more: Any) -> Records:
    found = read_records(folder, WEEK, **{"now": NOW, "width": WIDTH, "most_images": 1_000} | more)
    assert found is not None
    return found


def test_columns_are_those_that_the_service_writes() -> None:
    assert COLUMNS.items() <= RECORD_COLUMNS.items()


def test_what_the_service_writes_is_read(tmp_path: Path) -> None:
    link = Link("", Mention("Jaguar"), (Candidate("Q1", "Jaguar Cars", -0.25, 0.75),), image="read")
    answered = Timed(Linked((link,), (None,), "abc"), waited=0.0, worked=0.5, together=1)
    recorder = Recorder(tmp_path, "numbers", rows=10, seconds=3_600)
    recorder.add(Post("A Jaguar at dusk", (link.mention,)), answered, "r1", np.ones(WIDTH, dtype=np.float32))
    recorder.close()
    today = datetime.now(UTC).date()
    period, later = days_between(today - timedelta(days=1), today + timedelta(days=2)), datetime.now(UTC)
    found = read_records(tmp_path, period, later, width=WIDTH, most_images=10)
    assert found is not None
    assert found.answers.select("text_length", "mention", "probability", "image").rows() == [(16, None, 0.75, "read")]
    assert found.vectors.tolist() == [[1.0] * WIDTH]
    assert not found.with_texts


def test_without_a_folder_there_are_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "records", WEEK, NOW, width=WIDTH, most_images=1) is None


def test_rows_of_the_period_alone_are_read(tmp_path: Path) -> None:
    for place, day in enumerate((-1, 0, 6, 7)):
        record(tmp_path, answers(5, seed=place, day=MONDAY + timedelta(days=day)))
    assert read(tmp_path).answers.height == 10


def test_question_that_is_asked_again_counts_once(tmp_path: Path) -> None:
    rows = answers(5)
    record(tmp_path, rows)
    record(tmp_path, rows.with_columns(pl.lit("again").alias("request_id")), "part-2.parquet")
    found = read(tmp_path)
    assert (found.answers.height, found.repeated) == (5, 5)


def test_posts_have_one_row_each(tmp_path: Path) -> None:
    rows = answers(4).with_columns(pl.col("time", "request_id", "text_length", "text", "image_vector").first())
    record(tmp_path, rows)
    found = read(tmp_path)
    assert (found.answers.height, found.posts.height) == (4, 1)


def test_numbers_alone_are_told_from_texts(tmp_path: Path) -> None:
    assert not read_level(tmp_path / "numbers", text=None, mention=None).with_texts
    assert read_level(tmp_path / "texts").with_texts


def read_level(folder: Path, **given: Any) -> Records:
    record(folder, answers(5).with_columns(**{name: pl.lit(value, pl.String) for name, value in given.items()}))
    return read(folder)


def test_truncated_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = record(tmp_path, answers(5))
    path.write_bytes(path.read_bytes()[:-20])
    record(tmp_path, answers(5, seed=1), "part-2.parquet")
    found = read(tmp_path)
    assert found.answers.height == 5
    (skipped,) = found.skipped
    assert skipped.file == f"{MONDAY}/part-1.parquet"
    assert "can't be read" in skipped.reason


def test_foreign_file_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    record(tmp_path, answers(5).drop("sure"))
    (skipped,) = read(tmp_path).skipped
    assert skipped.reason == "no file of the service's records: column 'sure' is None"


def test_file_with_impossible_chances_is_left_out(tmp_path: Path) -> None:
    record(tmp_path, answers(5, probability=[0.5, 0.5, 7.0, 0.5, 0.5]))
    (skipped,) = read(tmp_path).skipped
    assert "a probability that is none" in skipped.reason


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bit_never_stops_the_reading(tmp_path: Path, seed: int) -> None:
    path = record(tmp_path, answers(50))
    content = bytearray(path.read_bytes())
    place = int(np.random.default_rng(seed).integers(len(content)))
    content[place] ^= 1 << seed % 8
    path.write_bytes(content)
    record(tmp_path, answers(5, seed=1), "part-2.parquet")
    assert read(tmp_path).answers.height >= 5


def test_rows_from_the_future_are_counted_and_left_out(tmp_path: Path) -> None:
    record(tmp_path, answers(5))
    record(tmp_path, answers(5, day=MONDAY + timedelta(days=2)))
    record(tmp_path, answers(5, day=MONDAY + timedelta(days=90)))
    found = read(tmp_path, now=datetime(2026, 11, 10, tzinfo=UTC))
    assert found.answers.height == 5
    # Five rows of the period, and of the days behind it each file.
    assert found.ahead == 5 + 2


def test_vectors_are_a_bounded_sample_of_different_pictures(tmp_path: Path) -> None:
    rows = answers(50).with_columns(image=pl.lit("read"))
    pictures = rows["image_vector"].drop_nulls().len()
    record(tmp_path, rows)
    record(tmp_path, rows.with_columns(text=pl.lit("another")), "part-2.parquet")
    found = read(tmp_path, most_images=10)
    assert found.pictures == pictures
    assert found.vectors.shape == (10, WIDTH)
    assert len(np.unique(found.vectors, axis=0)) == 10


def test_vectors_of_another_encoder_are_counted(tmp_path: Path) -> None:
    record(tmp_path, answers(3, image_vector=[[0.5] * 4, None, [0.5] * WIDTH]))
    found = read(tmp_path)
    assert (found.other_widths, len(found.vectors)) == (1, 1)
