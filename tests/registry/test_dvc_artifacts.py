"""A project under git and DVC with a remote: DVC's own commands find the champion, and what was deleted comes back."""

import shutil
from pathlib import Path

import pytest
import yaml
from checkouts import Checkout, dvc, git, make_bundle, make_dvc_checkout

from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.stages import RELEASE

ROOT = Path(__file__).parents[2]


def commit_with_dvc(root: Path, content: str) -> str:
    """Make another release, push it, commit its dvc.lock."""
    make_bundle(root / RELEASE, content)
    dvc(root, "commit", "--force", "release")
    dvc(root, "push")
    git(root, "add", "dvc.lock", "dvc.yaml", ".dvc")
    git(root, "commit", "-q", "-m", content)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Two versions were promoted, the second one was rolled back. Copy it before changing it."""
    checkout = make_dvc_checkout(tmp_path_factory.mktemp("dvc") / "checkout")
    root = checkout.root
    stages = {"release": {"cmd": "true", "outs": [RELEASE.as_posix()]}}
    artifacts = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages, "artifacts": artifacts}))
    for content in ("one", "two"):
        commit = commit_with_dvc(root, content)
        checkout.registry.promote(checkout.registry.register(root / RELEASE, commit, content, ""), why="")
    checkout.registry.rollback(why="")
    return checkout


@pytest.fixture
def copied(released: Checkout, tmp_path: Path) -> Checkout:
    return Checkout(shutil.copytree(released.root, tmp_path / "checkout", symlinks=True))


def get(root: Path, *words: str) -> str:
    """The mapper of what `dvc artifacts get` brings."""
    into = root.parent / f"got-{words[-1]}"
    dvc(root, "artifacts", "get", ".", "gemel", *words, "-o", str(into))
    return (into / "mapper.safetensors").read_text()


def test_dvc_gets_the_champion(released: Checkout) -> None:
    assert get(released.root, "--stage", "champion") == "one"


def test_dvc_gets_a_version(released: Checkout) -> None:
    assert get(released.root, "--rev", "v1.1.0") == "two"


@pytest.mark.parametrize("lost", ["bundle", "bundle and cache"])
def test_deleted_bundle_comes_back_out_of_dvc(copied: Checkout, lost: str) -> None:
    (later,) = (version for version in copied.registry.versions() if version.name == "v1.1.0")
    shutil.rmtree(copied.releases / later.folder)
    if "cache" in lost:
        shutil.rmtree(copied.root / ".dvc" / "cache")
    copied.registry.promote(later, why="again")
    folder = copied.registry.champion_folder()
    assert folder is not None
    assert (folder / "mapper.safetensors").read_text() == "two"
    assert artifact_hash(folder) == later.digest


def test_damaged_object_of_the_cache_is_mended_from_the_remote(copied: Checkout) -> None:
    (later,) = (version for version in copied.registry.versions() if version.name == "v1.1.0")
    for path in (copied.root / ".dvc" / "cache").rglob("*"):
        if path.is_file() and path.read_text() == "two":
            path.chmod(0o644)
            path.write_text("twp")
            path.chmod(0o444)
    shutil.rmtree(copied.releases / later.folder)
    copied.registry.promote(later, why="again")
    assert copied.registry.champion() is not None


def test_garbage_collection_leaves_what_prune_names(copied: Checkout) -> None:
    assert copied.registry.prune()[-1].startswith("`dvc gc --workspace --all-branches --all-tags` keeps")
    commit_with_dvc(copied.root, "three")
    dvc(copied.root, "gc", "--workspace", "--all-branches", "--all-tags", "--force")
    for folder in (copied.pointer.resolve(), copied.root / ".remote"):
        shutil.rmtree(folder)
    assert copied.registry.promote("v1.0.0", why="back").name == "v1.0.0"
    assert copied.registry.champion() is not None


def test_user_files_are_not_touched_by_what_comes_back(copied: Checkout) -> None:
    (copied.root / RELEASE / "mapper.safetensors").write_text("mine")
    (copied.root / "dvc.yaml").write_text("stages: {}\n")
    shutil.rmtree(copied.pointer.resolve())
    copied.registry.promote("v1.0.0", why="back")
    assert (copied.root / RELEASE / "mapper.safetensors").read_text() == "mine"
    assert git(copied.root, "status", "--porcelain").split() == ["M", "dvc.yaml"]


def test_release_that_dvc_lost_is_said_and_the_champion_stays(copied: Checkout) -> None:
    (later,) = (version for version in copied.registry.versions() if version.name == "v1.1.0")
    for folder in (copied.releases / later.folder, copied.root / ".dvc" / "cache", copied.root / ".remote"):
        shutil.rmtree(folder)
    with pytest.raises(
        ArtifactError, match=r"DVC can't bring back the release of v1\.1\.0 .*run `dvc fetch --all-tags`"
    ):
        copied.registry.promote("v1.1.0", why="again")
    champion = copied.registry.champion()
    assert champion is not None
    assert champion.name == "v1.0.0"
