"""Judged links as questions: which ones say what is right, and which are left out."""

import shutil
from pathlib import Path

import pytest
from audit.sampled import draw, fill
from linked_posts import CAR, CAT

from gemel.core.errors import DataError
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.gate.audits import OPEN, SERVES, TWICE, UNKNOWN, UNSURE, plain, read_audits

CATALOG = Catalog.of([Entity("Q30055", "Jaguar Cars"), Entity("Q35694", "Jaguar")])
KINDS = [
    (f"p{number}", f"The Jaguar slept {number}", {"mention": "Jaguar", "start": 4, "end": 10}, (CAR, CAT))
    for number in range(4)
]


def drawn(folder: Path, verdicts: dict[int, str], **right: str) -> Path:
    """A folder with an audit whose sheet is filled; its posts lie one folder up."""
    sample = draw(folder, len(KINDS), KINDS)
    fill(sample, sample / "anna.csv", verdicts, **right)
    return folder


def test_link_that_was_found_right_is_a_question(tmp_path: Path) -> None:
    found = read_audits(drawn(tmp_path, dict.fromkeys(range(4), "correct")), CATALOG, ())
    assert {post.mentions[0].entity_id for post in found.posts} == {"Q30055"}
    assert [(post.mentions[0].text, post.mentions[0].start) for post in found.posts] == [("Jaguar", 4)] * 4
    assert found.left_out == {}


@pytest.mark.parametrize("words", ["Q35694", "Jaguar (Q35694)", "Jaguar"])
def test_right_entity_of_a_wrong_link_is_found_by_what_people_write(tmp_path: Path, words: str) -> None:
    found = read_audits(drawn(tmp_path, {0: "wrong"}, _0=words), CATALOG, ())
    assert [post.mentions[0].entity_id for post in found.posts] == ["Q35694"]


def test_links_that_say_nothing_are_counted(tmp_path: Path) -> None:
    found = read_audits(drawn(tmp_path, {0: "wrong", 1: "wrong", 2: "unsure"}, _1="Jaguar (Q1)"), CATALOG, ())
    assert found.posts == ()
    assert found.left_out == {UNKNOWN: 2, UNSURE: 1, OPEN: 1}


def test_audit_that_nobody_judged_yet_says_nothing(tmp_path: Path) -> None:
    draw(tmp_path, 4, KINDS)
    assert read_audits(tmp_path, CATALOG, ()).left_out == {OPEN: 4}


def test_posts_that_serve_a_release_already_are_left_out(tmp_path: Path) -> None:
    taken = {plain("the  JAGUAR slept 2")}
    found = read_audits(drawn(tmp_path, dict.fromkeys(range(4), "correct")), CATALOG, taken)
    assert sorted(post.post_id for post in found.posts) == ["p0", "p1", "p3"]
    assert found.left_out == {SERVES: 1}


def test_link_that_two_audits_judged_counts_once(tmp_path: Path) -> None:
    drawn(tmp_path, {0: "correct"})
    shutil.copytree(tmp_path / "sample", tmp_path / "again")
    found = read_audits(tmp_path, CATALOG, ())
    assert len(found.posts) == 1
    assert found.left_out == {OPEN: 6, TWICE: 1}


def test_posts_are_held_to_the_sample(tmp_path: Path) -> None:
    drawn(tmp_path, {0: "correct"})
    with (tmp_path / "posts.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(DataError, match=r"sample.json: drawn from posts.jsonl of SHA-256 .*; copy it there with its"):
        read_audits(tmp_path, CATALOG, ())


def test_folder_without_an_audit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no sample.json in it or below it; put in the folder that `gemel audit"):
        read_audits(tmp_path, CATALOG, ())
