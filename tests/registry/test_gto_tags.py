"""The tags as other tools read them, whatever the clock says."""

import time

import gto
import pytest
from checkouts import Checkout, git


def stage_of(checkout: Checkout) -> str:
    return str(gto.api.show(str(checkout.root))["gemel"]["stage"]["champion"])


def test_gto_shows_versions_and_the_champion(promoted: Checkout) -> None:
    assert gto.api.show(str(promoted.root))["gemel"] == {
        "version": "v1.1.0",
        "stage": {"champion": "v1.1.0"},
        "registered": True,
        "active": True,
    }


def test_gto_follows_a_rollback_within_the_same_second(promoted: Checkout) -> None:
    promoted.registry.rollback(why="")
    assert stage_of(promoted) == "v1.0.0"


def test_clock_that_went_back_does_not_change_the_order(promoted: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("gemel.registry.tags.time.time", lambda: now - 1e6)
    promoted.registry.rollback(why="")
    assert stage_of(promoted) == "v1.0.0"


def test_tag_tells_a_person_what_it_is(promoted: Checkout) -> None:
    said = git(promoted.root, "tag", "-l", "--format=%(contents)", "gemel@v1.0.0")
    title, note, facts = said.split("\n\n")
    assert title.endswith("of gemel, v1.0.0, accuracy on test 90.0%")
    assert note == "note of one"
    assert "Run: run-one" in facts


def test_version_of_gto_alone_keeps_its_name(promoted: Checkout) -> None:
    commit = promoted.commit_release("three")
    gto.api.register(str(promoted.root), "gemel", commit, version="v2.0.0")
    assert [version.name for version in promoted.registry.versions()] == ["v1.1.0", "v1.0.0"]
    assert promoted.register("four").name == "v2.1.0"


def test_deregistered_version_is_no_more(promoted: Checkout) -> None:
    gto.api.deregister(str(promoted.root), "gemel", version="v1.0.0")
    assert [version.name for version in promoted.registry.versions()] == ["v1.1.0"]
