"""Flipped bits: in artifacts by their manifests and dvc.lock, in DVC's cache by the objects' names."""

import os
import shutil
from pathlib import Path

import pytest
from checkouts import Checkout, dvc, git, make_dvc_checkout
from dvc.repo import Repo

from gemel.core.errors import ArtifactError
from gemel.registry.verification import verify_artifacts, verify_cache
from gemel.stages import RELEASE


def flip(path: Path) -> None:
    """Flip a bit as a disk would: neither times nor permissions tell."""
    before, mode = path.stat(), path.stat().st_mode
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def project(checkout: Checkout) -> Path:
    checkout.commit_release("one")
    return checkout.root


def test_whole_artifacts_are_found_whole(project: Path) -> None:
    assert verify_artifacts(project) == ()


def test_flipped_bit_is_found_by_the_manifest(project: Path) -> None:
    flip(project / RELEASE / "mapper.safetensors")
    (said,) = verify_artifacts(project)
    assert "mapper.safetensors: its SHA-256 differs" in said


@pytest.mark.parametrize("change", ["manifest", "added"])
def test_change_that_the_manifest_does_not_tell_is_found_by_the_lock_file(project: Path, change: str) -> None:
    manifest = project / RELEASE / "manifest.json"
    if change == "manifest":
        manifest.write_text(manifest.read_text().replace("0.9", "0.8"))
    else:
        (project / RELEASE / "more").write_text("x")
    (said,) = verify_artifacts(project)
    assert "manifest.json, or a file that it does not list, is not what dvc.lock says" in said
    assert said.endswith("run `dvc repro release`")


def test_artifact_that_is_not_there_is_passed_over(project: Path) -> None:
    shutil.rmtree(project / RELEASE)
    assert verify_artifacts(project) == ()


def test_project_without_a_lock_file_is_refused(project: Path) -> None:
    (project / "dvc.lock").unlink()
    with pytest.raises(ArtifactError, match=r"dvc\.lock: no such file, so nothing says what the artifacts should be"):
        verify_artifacts(project)


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose folder `data` is in DVC's cache and in a remote. Copy it before changing it."""
    root = make_dvc_checkout(tmp_path_factory.mktemp("cached") / "checkout").root
    (root / "data").mkdir()
    for name in ("a", "b", "c"):
        (root / "data" / name).write_text(name * 100)
    dvc(root, "add", "data")
    dvc(root, "push")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "data")
    return root


@pytest.fixture
def cache(cached: Path, tmp_path: Path) -> Path:
    """The cache of a copy, as the current project."""
    shutil.copytree(cached, tmp_path / "copy")
    return tmp_path / "copy" / ".dvc" / "cache" / "files" / "md5"


def objects(cache: Path) -> dict[bool, list[Path]]:
    """The cache's objects, by whether they are lists of folders."""
    found = sorted(cache.glob("*/*"))
    return {kind: [path for path in found if path.name.endswith(".dir") == kind] for kind in (True, False)}


def fetch(root: Path) -> None:
    with Repo(str(root)) as repo:
        repo.fetch()


def test_whole_cache_is_found_whole(cache: Path) -> None:
    report = verify_cache(cache.parents[3])
    assert (report.checked, report.damaged, report.absent, report.unlisted) == (4, (), (), ())


def test_damaged_object_is_removed_and_fetched_again(cache: Path) -> None:
    damaged = objects(cache)[False][0]
    flip(damaged)
    report = verify_cache(cache.parents[3])
    assert report.damaged == (damaged.parent.name + damaged.name,)
    assert not damaged.exists()
    fetch(cache.parents[3])
    assert verify_cache(cache.parents[3]).damaged == ()
    assert damaged.exists()


def test_files_of_a_damaged_list_are_looked_at_after_it_was_fetched(cache: Path) -> None:
    flip(objects(cache)[True][0])
    flip(objects(cache)[False][0])
    assert verify_cache(cache.parents[3]).unlisted == ("data",)
    fetch(cache.parents[3])
    report = verify_cache(cache.parents[3])
    assert (len(report.damaged), report.unlisted) == (1, ())


def test_absent_objects_are_told_apart(cache: Path) -> None:
    objects(cache)[False][0].unlink()
    report = verify_cache(cache.parents[3])
    assert (report.checked, len(report.absent), report.damaged) == (3, 1, ())
