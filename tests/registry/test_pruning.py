"""What `prune` takes and what it never takes."""

import pytest
from checkouts import Checkout

from gemel.registry.errors import RegistryError


@pytest.fixture
def many(checkout: Checkout) -> Checkout:
    """Eight versions that were promoted, and rolled back twice: v1.5.0 is the champion."""
    for number in range(8):
        checkout.registry.promote(checkout.register(str(number)), why="")
    for _ in range(2):
        checkout.registry.rollback(why="")
    return checkout


def left(checkout: Checkout) -> set[str]:
    return {version.name for version in checkout.registry.versions() if checkout.registry.has_bundle(version)}


def test_champion_and_those_promoted_last_stay(many: Checkout) -> None:
    many.registry.prune(3)
    # v1.6.0 was the champion again after the first rollback, v1.5.0 after the second.
    assert left(many) == {"v1.5.0", "v1.6.0", "v1.7.0"}
    assert many.registry.champion() is not None


def test_keep_none_keeps_the_champion(many: Checkout) -> None:
    many.registry.prune(0)
    assert left(many) == {"v1.5.0", "v1.7.0"}


def test_version_that_is_about_to_be_promoted_stays(many: Checkout) -> None:
    many.register("next")
    many.registry.prune(1)
    assert left(many) == {"v1.5.0", "v1.8.0"}


def test_prune_says_what_it_took_and_what_dvc_keeps(many: Checkout) -> None:
    *removed, kept = many.registry.prune(7)
    assert [said.endswith(": removed") for said in removed] == [True]
    assert kept.startswith("`dvc gc --workspace --all-branches --all-tags` keeps the data of v1.7.0, v1.6.0")


def test_negative_number_is_refused(many: Checkout) -> None:
    with pytest.raises(RegistryError, match="keep -1: a number of releases"):
        many.registry.prune(-1)
