"""Registering, promoting, rolling back: what the pointer, the tags and the bundles say after it."""

import errno
import shutil
from pathlib import Path

import pytest
from checkouts import Checkout, git, make_bundle

from gemel.core.errors import ArtifactError
from gemel.registry.errors import RegistryError
from gemel.registry.registry import Registry
from gemel.stages import RELEASE


def names(registry: Registry) -> list[str]:
    return [version.name for version in registry.versions()]


def test_checkout_that_never_promoted_has_no_champion(checkout: Checkout) -> None:
    checkout.register("one")
    assert checkout.registry.champion() is None
    assert checkout.registry.champion_folder() is None


def test_first_version_and_its_facts(checkout: Checkout) -> None:
    version = checkout.register("one")
    assert (version.name, version.run, version.accuracy) == ("v1.0.0", "run-one", 0.9)
    assert (version.commit, version.digest) == (git(checkout.root, "rev-parse", "HEAD"), checkout.digest())
    (read,) = checkout.registry.versions()
    assert read == version
    assert read.note == "note of one"


def test_versions_are_newest_first_and_bump_the_minor_number(checkout: Checkout) -> None:
    for number in range(11):
        checkout.register(str(number))
    assert names(checkout.registry)[:3] == ["v1.10.0", "v1.9.0", "v1.8.0"]


def test_register_again_keeps_the_version(checkout: Checkout) -> None:
    first = checkout.register("one")
    assert checkout.registry.register(checkout.root / RELEASE, first.commit, "another run", "again") == first


def test_commit_of_another_release_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    commit = checkout.commit_release("one")
    other = make_bundle(tmp_path / "other", "two")
    with pytest.raises(
        RegistryError, match=r"dvc\.lock of commit .* holds .*\.dir, while the bundle is .* run `dvc repro"
    ):
        checkout.registry.register(other, commit, "run", "")
    assert names(checkout.registry) == []


def test_commit_that_is_a_version_of_another_release_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    first = checkout.register("one")
    other = make_bundle(tmp_path / "other", "two")
    with pytest.raises(RegistryError, match=r"is v1\.0\.0 already, with release .* commit the new dvc\.lock"):
        checkout.registry.register(other, first.commit, "run", "")


def test_commit_without_a_lock_file_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"dvc\.lock of commit .* does not name it"):
        checkout.registry.register(make_bundle(tmp_path / "some", "one"), "HEAD", "run", "")


def test_unknown_commit_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no commit 'nowhere'; commit first"):
        checkout.registry.register(make_bundle(tmp_path / "some", "one"), "nowhere", "run", "")


def test_damaged_bundle_is_not_registered(checkout: Checkout) -> None:
    commit = checkout.commit_release("one")
    (checkout.root / RELEASE / "mapper.safetensors").write_text("eno")
    with pytest.raises(ArtifactError, match=r"mapper\.safetensors: its SHA-256 differs"):
        checkout.registry.register(checkout.root / RELEASE, commit, "run", "")


def test_bundle_with_a_damaged_key_is_not_registered(checkout: Checkout) -> None:
    commit = checkout.commit_release("one")
    manifest = checkout.root / RELEASE / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"files"', '"filet"'))
    with pytest.raises(ArtifactError, match=r"manifest\.json: damaged \(its files .* none\); run `dvc repro release`"):
        checkout.registry.register(checkout.root / RELEASE, commit, "run", "")


def test_run_of_two_lines_is_refused(checkout: Checkout) -> None:
    commit = checkout.commit_release("one")
    with pytest.raises(RegistryError, match="names what made it in one line"):
        checkout.registry.register(checkout.root / RELEASE, commit, "run\nDigest: 0", "")


def test_note_cannot_forge_the_digest(checkout: Checkout) -> None:
    commit = checkout.commit_release("one")
    checkout.registry.register(checkout.root / RELEASE, commit, "run", "said\n\nDigest: 0000")
    (version,) = checkout.registry.versions()
    assert version.digest == checkout.digest()


def test_promoted_version_is_the_champion(promoted: Checkout) -> None:
    champion = promoted.registry.champion()
    assert champion is not None
    assert champion.name == "v1.1.0"
    assert promoted.registry.champion_folder() == promoted.releases / promoted.digest()[:16]
    assert [(event.kind, event.why) for event in champion.events] == [("promotion", "better: two")]


def test_pointer_is_a_relative_link(promoted: Checkout) -> None:
    assert str(promoted.pointer.readlink()) == promoted.digest()[:16]


@pytest.mark.parametrize("name", ["v1.0.0", "1.0.0", "gemel@v1.0.0"])
def test_promote_takes_a_name(promoted: Checkout, name: str) -> None:
    assert promoted.registry.promote(name, why="again").name == "v1.0.0"


def test_promote_of_the_champion_does_nothing(promoted: Checkout) -> None:
    before = git(promoted.root, "tag")
    promoted.registry.promote("v1.1.0", why="once more")
    assert git(promoted.root, "tag") == before


def test_promote_of_an_unknown_version_names_those_there_are(promoted: Checkout) -> None:
    with pytest.raises(RegistryError, match=r"no version 'v9\.0\.0'; there are v1\.1\.0, v1\.0\.0"):
        promoted.registry.promote("v9.0.0", why="")


def test_rollbacks_lead_back_step_by_step(promoted: Checkout) -> None:
    promoted.registry.promote(promoted.register("three"), why="")
    assert promoted.registry.rollback(why="worse").name == "v1.1.0"
    assert promoted.registry.rollback(why="worse still").name == "v1.0.0"
    with pytest.raises(RegistryError, match="no champion before the present one"):
        promoted.registry.rollback(why="")


def test_rollback_after_one_does_not_return_to_what_was_rolled_back(promoted: Checkout) -> None:
    promoted.registry.rollback(why="")
    promoted.registry.promote(promoted.register("three"), why="")
    assert promoted.registry.rollback(why="").name == "v1.0.0"


def test_rollback_is_recorded_as_one(promoted: Checkout) -> None:
    former = promoted.registry.rollback(why="complaints")
    assert [(event.kind, event.why) for event in former.events] == [
        ("promotion", "better: one"),
        ("rollback", "complaints"),
    ]


def test_rollback_without_a_champion_is_refused(checkout: Checkout) -> None:
    checkout.register("one")
    with pytest.raises(RegistryError, match="no champion before"):
        checkout.registry.rollback(why="")


def test_bundle_deleted_by_hand_is_said(promoted: Checkout) -> None:
    shutil.rmtree(promoted.pointer.resolve())
    with pytest.raises(ArtifactError, match=r"v1\.1\.0 was promoted.*`gemel release promote v1\.1\.0` brings it back"):
        promoted.registry.champion()


def test_bundle_that_nothing_can_bring_back_is_said(promoted: Checkout) -> None:
    shutil.rmtree(promoted.pointer.resolve())
    with pytest.raises(
        ArtifactError, match=r"DVC can't bring back the release of v1\.1\.0 .*or promote a version whose"
    ):
        promoted.registry.promote("v1.1.0", why="")


def test_pointer_deleted_by_hand_is_not_taken_for_a_first_run(promoted: Checkout) -> None:
    promoted.pointer.unlink()
    with pytest.raises(ArtifactError, match=r"v1\.1\.0 was promoted, but it is not here whole \(no pointer\)"):
        promoted.registry.champion()
    assert promoted.registry.promote("v1.1.0", why="back").name == "v1.1.0"
    assert promoted.registry.champion() is not None


def test_flipped_bit_in_the_champions_manifest_is_found(promoted: Checkout) -> None:
    manifest = promoted.pointer / "manifest.json"
    manifest.write_text(manifest.read_text().replace("0.9", "0.8"))
    with pytest.raises(ArtifactError, match=r"manifest\.json: its SHA-256 begins with"):
        promoted.registry.champion()


def test_pointer_to_somewhere_else_is_refused(promoted: Checkout) -> None:
    promoted.pointer.unlink()
    promoted.pointer.symlink_to("../../artifacts/release")
    with pytest.raises(ArtifactError, match=r"points to '../../artifacts/release', and not to a bundle beside it"):
        promoted.registry.champion()


def test_champion_without_its_tag_is_said(promoted: Checkout) -> None:
    git(promoted.root, "tag", "-d", "gemel@v1.1.0")
    with pytest.raises(ArtifactError, match=r"which no version is; fetch the tags"):
        promoted.registry.champion()


def test_folder_without_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no git checkout, and versions are git tags"):
        Registry(tmp_path)


def test_linked_worktree_registers_for_all(promoted: Checkout, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(promoted.root, "worktree", "add", "-q", "-b", "run", str(linked))
    there = Checkout(linked)
    assert there.register("three").name == "v1.2.0"
    assert names(promoted.registry)[0] == "v1.2.0"
    assert not (promoted.releases / there.digest()[:16]).exists()


def test_same_release_of_two_commits_shares_a_bundle(promoted: Checkout) -> None:
    again = promoted.register("two")
    assert again.name == "v1.2.0"
    champion = promoted.registry.promote(again, why="new code, same release")
    assert (champion.name, promoted.registry.champion()) == ("v1.2.0", champion)
    assert len([path for path in promoted.releases.iterdir() if path.is_dir() and not path.is_symlink()]) == 2


def test_promotion_without_an_identity_changes_nothing(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    version = checkout.register("one")
    for key in ("user.name", "user.email"):
        git(checkout.root, "config", "--unset", key)
    git(checkout.root, "config", "user.useConfigOnly", "true")
    for variable in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(checkout.root))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(RegistryError, match=r"`git var` failed .*user\.email"):
        checkout.registry.promote(version, why="")
    assert not checkout.pointer.is_symlink()


def test_full_disk_leaves_no_bundle_and_no_version(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    commit = checkout.commit_release("one")
    monkeypatch.setattr("gemel.registry.pointer.os.fsync", full)
    with pytest.raises(RegistryError, match=r"No space left on device; what was there stays: mend that"):
        checkout.registry.register(checkout.root / RELEASE, commit, "run", "")
    assert list(checkout.releases.iterdir()) == []
    assert checkout.registry.versions() == ()


def test_repository_without_tags_has_no_versions(checkout: Checkout) -> None:
    assert checkout.registry.versions() == ()
