"""A bundle that was rewritten stands for its version: the champion, a rollback and pruning go on with it."""

from pathlib import Path

import pytest
from checkouts import Checkout, make_bundle

from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.registry.pointer import point
from gemel.registry.rewritten import FILE, note_rewritten, origin_of, standing_for
from gemel.registry.versions import DIGITS


def rewrite(checkout: Checkout, former: str, content: str) -> str:
    """Put another bundle in place of one, as `gemel forget` does. Returns: the new folder's name."""
    made = make_bundle(checkout.root / "made", content)
    name = artifact_hash(made)[:DIGITS]
    made.rename(checkout.releases / name)
    note_rewritten(checkout.releases, former, name)
    if (checkout.releases / "champion").readlink() == Path(former):
        point(checkout.releases, name)
    (checkout.releases / former).rename(checkout.root / f"gone-{former}")
    return name


def test_champion_is_still_its_version(promoted: Checkout) -> None:
    version = promoted.registry.versions()[0]
    name = rewrite(promoted, version.folder, "two, less a post")
    champion, folder = promoted.registry.champion(), promoted.registry.champion_folder()
    assert champion is not None
    assert (champion.name, folder) == (version.name, promoted.releases / name)
    assert promoted.registry.reconcile() == ()
    assert promoted.registry.promote(version.name, why="again").events == champion.events


def test_second_rewriting_stands_for_the_same_version(promoted: Checkout) -> None:
    version = promoted.registry.versions()[0]
    last = rewrite(promoted, rewrite(promoted, version.folder, "less"), "less still")
    assert origin_of(promoted.releases, last) == version.folder
    assert standing_for(promoted.releases, version.folder) == last
    assert promoted.registry.has_bundle(version)


def test_rollback_goes_to_the_rewritten_bundle(promoted: Checkout) -> None:
    first = promoted.registry.versions()[1]
    name = rewrite(promoted, first.folder, "one, less a post")
    assert promoted.registry.rollback(why="worse").name == first.name
    assert promoted.registry.champion_folder() == promoted.releases / name


def test_prune_keeps_what_stands_for_a_kept_version(promoted: Checkout) -> None:
    first = promoted.registry.versions()[1]
    name = rewrite(promoted, first.folder, "one, less a post")
    promoted.registry.prune(keep=2)
    assert (promoted.releases / name).is_dir()


def test_damaged_rewritten_champion_is_found(promoted: Checkout) -> None:
    name = rewrite(promoted, promoted.registry.versions()[0].folder, "two, less a post")
    (promoted.releases / name / "mapper.safetensors").write_text("TWO, less a post")
    with pytest.raises(ArtifactError, match=r"v1\.1\.0 was promoted, but it is not here whole"):
        promoted.registry.champion()


def test_damaged_note_is_named(promoted: Checkout) -> None:
    (promoted.releases / FILE).write_text("{")
    with pytest.raises(ArtifactError, match=r"rewritten\.json: damaged .*; remove it, then `gemel release promote"):
        promoted.registry.champion()
