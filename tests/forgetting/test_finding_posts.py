"""Posts are found wherever they are written down; who shares their words or pictures is known."""

import json
from pathlib import Path
from typing import Any

import pytest

from gemel.core.artifacts import file_sha256
from gemel.core.errors import DataError, RequestError
from gemel.forgetting.finding import find_posts, posts_showing
from gemel.forgetting.forget import plan
from gemel.forgetting.journal import begin, finish, read_journal


def row(id_: str, text: str, image: str | None = None, split: str = "train") -> dict[str, Any]:
    return {"id": id_, "text": text, "image": image, "split": split, "mentions": [{"id": f"m-{id_}"}]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data/one"
    (folder / "images").mkdir(parents=True)
    for name, content in (("a", b"AAA"), ("b", b"BBB"), ("b2", b"BBB")):
        (folder / f"images/{name}.png").write_bytes(content)
    rows = [
        row("p1", "One", "images/a.png"),
        row("p2", "Two", "images/b.png"),
        row("p3", "Two", "images/b2.png", "test"),
        row("p4", "Four"),
    ]
    (folder / "posts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return tmp_path


def test_mentions_and_picture_belong_to_it(root: Path) -> None:
    found = find_posts(root, ["p1"])
    assert found.trace.ids == {"p1", "m-p1"}
    assert found.trace.pictures == {file_sha256(root / "data/one/images/a.png")}
    assert found.trained == ("p1",)


def test_picture_that_another_shows_under_another_name_stays(root: Path) -> None:
    found = find_posts(root, ["p2"])
    assert not found.trace.pictures
    assert "p3 shows it too" in " ".join(found.notes)


def test_twin_is_named_and_stays(root: Path) -> None:
    found = find_posts(root, ["p2"])
    assert "p3" not in found.trace.ids
    assert found.notes[0] == "p3 has the same words and stays; name it too if it is to go"


def test_what_was_said_of_the_same_words_goes_too(root: Path) -> None:
    (root / ".gemel/feedback").mkdir(parents=True)
    (root / ".gemel/feedback/feedback.jsonl").write_text(json.dumps(row("c1", "One")) + '\n{"id": "c2", "text": "O')
    assert {"c1", "m-c1"} < find_posts(root, ["p1"]).trace.ids


def test_quarantined_row_is_found_inside_its_line(root: Path) -> None:
    (root / ".gemel/intake").mkdir(parents=True)
    line = {"row": json.dumps(row("p9", "Nine")), "reason": "why"}
    (root / ".gemel/intake/quarantine.jsonl").write_text(json.dumps(line) + "\n")
    assert find_posts(root, ["p9"]).trace.texts == {"Nine"}


def test_posts_of_a_picture_are_found(root: Path) -> None:
    assert posts_showing(root, file_sha256(root / "data/one/images/b.png")) == ("p2", "p3")
    with pytest.raises(RequestError, match="no post shows an image of SHA-256 00; nothing was changed"):
        posts_showing(root, "00")


def test_unknown_id_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(RequestError, match=r"no post 'p11' in data/, \.gemel/ or artifacts/posts \(nearest are 'p1'"):
        plan(root, ["p11"])


def test_post_of_the_test_set_needs_a_word_more(root: Path) -> None:
    with pytest.raises(RequestError, match=r"'p3': in the test set, which is frozen .* add --even-test if it must go"):
        plan(root, ["p3"])
    assert plan(root, ["p3"], even_test=True).found.tested == ("p3",)


def test_journal_holds_no_id_and_no_words(root: Path) -> None:
    begin(root, ["p1"], ["0" * 32])
    (path,) = (root / ".gemel/forgetting").iterdir()
    assert "p1" not in path.name + path.read_text()
    finish(root, ["p1"])
    assert read_journal(root, "p1").objects == ()  # type: ignore[union-attr]


def test_damaged_journal_is_named(root: Path) -> None:
    begin(root, ["p1"], [])
    (path,) = (root / ".gemel/forgetting").iterdir()
    path.write_text("{")
    with pytest.raises(DataError, match=r"\.json: damaged .*; delete it and run `gemel forget` again"):
        read_journal(root, "p1")
