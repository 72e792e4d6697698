"""Decision cards: what they keep, and that a damaged or missing one stops the next decision."""

import json
from pathlib import Path
from typing import Any

import pytest
from gate.decision_cards import NOW, TEST, made, write_runs
from gate.slices import counted, decided

from gemel.core.errors import DataError, GemelError
from gemel.gate.card import (
    CARD,
    PAGE,
    TEST_POSTS,
    asked_posts,
    check_facts,
    read_cards,
    spent_within_a_year,
    write_decision,
)
from gemel.gate.settings import GateSettings


def test_card_keeps_what_was_decided_and_on_what(tmp_path: Path) -> None:
    write_decision(made("r1"), tmp_path / "r1")
    (card,) = read_cards(tmp_path)
    assert (card.run, card.time, card.outcome) == ("r1", NOW, "promote")
    assert (card.data.batch, card.data.data_dvc, card.data.test) == ("b1", "77a6.dir", TEST.fingerprint)
    assert (card.mapper_start, card.intake) == ("scratch", {"taken": 9, "quarantined": 2})
    assert card.settings == GateSettings()
    assert (card.slices[0].fixed, card.slices[0].n) == (9, 5_000)


def test_page_is_for_people(tmp_path: Path) -> None:
    write_decision(made("r1", audit_left_out={"judged unsure": 3}), tmp_path / "r1")
    page = (tmp_path / "r1" / PAGE).read_text(encoding="utf-8")
    assert page.startswith("# Promoted: run r1\n")
    assert "| overall | better | 5000 | 99.8 | 100.0 | +0.2 |" in page
    assert "| intake, quarantined | 2 |" in page
    assert "| judged links left out, judged unsure | 3 |" in page


def test_facts_that_the_gate_does_not_know_are_kept(tmp_path: Path) -> None:
    write_decision(made("r1", facts={"host": "a|b"}), tmp_path / "r1")
    assert read_cards(tmp_path)[0].facts == {"host": "a|b"}
    assert "| host | a\\|b |" in (tmp_path / "r1" / PAGE).read_text(encoding="utf-8")


def test_no_decision_is_replaced(tmp_path: Path) -> None:
    write_decision(made("r1"), tmp_path / "r1")
    with pytest.raises(DataError, match="r1: there is a decision already, and none is ever replaced; give the run"):
        write_decision(made("r1"), tmp_path / "r1")


def test_card_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def fail_at_the_page(path: Path, *arguments: object, **options: object) -> int:
        if path.name == PAGE:
            raise OSError("disk full")
        return write(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", fail_at_the_page)
    with pytest.raises(GemelError, match=r"r1: can't be written \(disk full\)"):
        write_decision(made("r1"), tmp_path / "r1")
    assert read_cards(tmp_path) == ()


def test_decision_on_counts_alone_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without its provenance has no card"):
        write_decision(decided(counted()), tmp_path / "r1")


def test_where_nothing_was_decided_nothing_is_spent(tmp_path: Path) -> None:
    assert read_cards(tmp_path / "none") == ()
    assert spent_within_a_year((), NOW, "t").alpha == 0.0


def test_cards_come_by_time_and_a_years_are_spent(tmp_path: Path) -> None:
    write_runs(tmp_path, {"z": 400, "b": 20, "a": 10})
    cards = read_cards(tmp_path)
    assert [card.run for card in cards] == ["z", "b", "a"]
    spent = spent_within_a_year(cards, NOW, TEST.fingerprint)
    assert [each.run for each in spent.decisions] == ["b", "a"]
    assert spent.alpha == pytest.approx(2 * GateSettings().alpha)


def test_best_accuracy_is_of_this_test_set(tmp_path: Path) -> None:
    write_runs(tmp_path, {"a": 10})
    cards = read_cards(tmp_path)
    assert spent_within_a_year(cards, NOW, TEST.fingerprint).best == 1.0
    assert spent_within_a_year(cards, NOW, "another").best is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "run: expected its id, found None"),
        ({"run": "../r1"}, "run: expected its id"),
        ({"run": "r1"}, "there is a decision of run 'r1' already; give the run another id"),
        ({"run": "r2", "mapper_start": "warm"}, "mapper_start: expected scratch or champion, found 'warm'"),
    ],
)
def test_facts_that_no_card_could_be_made_of_are_refused(tmp_path: Path, facts: dict[str, Any], words: str) -> None:
    write_decision(made("r1"), tmp_path / "r1")
    with pytest.raises(DataError, match=words):
        check_facts(facts, read_cards(tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ('{"format": 1', "damaged"),
        ("{}", r"damaged \(run: Field required\)"),
    ],
)
def test_damaged_card_stops_the_next_decision(tmp_path: Path, text: str, words: str) -> None:
    write_decision(made("r1"), tmp_path / "r1")
    (tmp_path / "r1" / CARD).write_text(text)
    with pytest.raises(DataError, match=rf"r1/card.json: {words}.*; bring it back from git: without it the budget"):
        read_cards(tmp_path)


def test_card_that_spent_less_than_nothing_is_damaged(tmp_path: Path) -> None:
    write_decision(made("r1"), tmp_path / "r1")
    path = tmp_path / "r1" / CARD
    card = json.loads(path.read_text())
    card["alpha"]["spent"] = -1
    path.write_text(json.dumps(card))
    with pytest.raises(DataError, match=r"damaged \(alpha\.spent"):
        read_cards(tmp_path)


def test_folder_without_its_card_is_named(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    with pytest.raises(DataError, match=r"r1/card.json: no such card; bring it back from git"):
        read_cards(tmp_path)


def test_card_that_was_removed_is_missed(tmp_path: Path) -> None:
    write_runs(tmp_path, {"a": 30, "b": 20, "c": 10})
    for file in (tmp_path / "b").iterdir():
        file.unlink()
    (tmp_path / "b").rmdir()
    with pytest.raises(DataError, match=r"b/card.json: no such card, though that of c counted it; bring it back"):
        read_cards(tmp_path)


def test_card_of_another_run_is_refused(tmp_path: Path) -> None:
    write_decision(made("r1"), tmp_path / "r1")
    (tmp_path / "r1").rename(tmp_path / "r2")
    with pytest.raises(DataError, match=r"r2/card.json: is the card of run 'r1'"):
        read_cards(tmp_path)


def test_posts_that_a_champion_was_asked_are_known_again(tmp_path: Path) -> None:
    write_decision(made("r1"), tmp_path / "r1")
    cards = read_cards(tmp_path)
    assert asked_posts(tmp_path, cards, "d" * 64) == TEST.posts
    assert asked_posts(tmp_path, cards, "f" * 64) is None


def test_posts_that_were_changed_are_not_believed(tmp_path: Path) -> None:
    write_decision(made("r1"), tmp_path / "r1")
    (tmp_path / "r1" / TEST_POSTS).write_text('{"p1": "a1"}')
    with pytest.raises(DataError, match=r"test_posts.json: was changed since it was written; bring it back from git"):
        asked_posts(tmp_path, read_cards(tmp_path), "d" * 64)
