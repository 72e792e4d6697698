"""The frozen test set: what changes it, and what an error says of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gemel.core.errors import DataError
from gemel.gate.frozen_posts import FrozenTest, expect_frozen, read_frozen_test

POST: dict[str, Any] = {
    "id": "p1",
    "text": "The Jaguar slept",
    "split": "test",
    "mentions": [{"id": "m1", "mention": "Jaguar", "start": 4, "end": 10, "entity": "Q1"}],
}


def frozen(folder: Path, *rows: dict[str, Any], image: str | None = "i1") -> FrozenTest:
    (folder / "posts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_frozen_test(folder, {row["id"]: image for row in rows})


def test_new_training_posts_change_nothing(tmp_path: Path) -> None:
    before = frozen(tmp_path, POST)
    after = frozen(tmp_path, POST | {"id": "p2", "split": "train"}, POST)
    expect_frozen(before.posts, after, "data")
    assert before.fingerprint == after.fingerprint


def test_order_of_the_file_changes_nothing(tmp_path: Path) -> None:
    other = POST | {"id": "p2"}
    assert frozen(tmp_path, POST, other).fingerprint == frozen(tmp_path, other, POST).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"text": "The Jaguar sleeps"},
        {"mentions": [{**POST["mentions"][0], "entity": "Q2"}]},
        {"mentions": [{**POST["mentions"][0], "entity": None}]},
        {"mentions": [{**POST["mentions"][0], "start": 3}]},
        {"mentions": [{**POST["mentions"][0], "id": "m2"}]},
        {"mentions": []},
    ],
)
def test_post_that_was_changed_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    before = frozen(tmp_path, POST)
    with pytest.raises(DataError, match=r"data: not the test posts .*: 1 changed \(p1\); a frozen test set may not"):
        expect_frozen(before.posts, frozen(tmp_path, POST | change), "data")


def test_other_image_is_another_question(tmp_path: Path) -> None:
    before = frozen(tmp_path, POST)
    with pytest.raises(DataError, match=r"1 changed \(p1\)"):
        expect_frozen(before.posts, frozen(tmp_path, POST, image="i2"), "data")


def test_posts_that_came_or_went_are_named(tmp_path: Path) -> None:
    before = frozen(tmp_path, *(POST | {"id": f"a{number}"} for number in range(7)))
    with pytest.raises(DataError, match=r"7 gone \(a0, a1, a2, a3, a4, …\), 1 new \(p1\)"):
        expect_frozen(before.posts, frozen(tmp_path, POST), "data")


def test_source_is_told_where_it_is_stated(tmp_path: Path) -> None:
    assert frozen(tmp_path, POST | {"source": "forum"}, POST | {"id": "p2"}).sources == {"p1": "forum"}


def test_posts_that_cannot_be_used_are_not_asked(tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text(json.dumps(POST) + "\nbroken\n", encoding="utf-8")
    assert read_frozen_test(tmp_path, {}).posts == {}
