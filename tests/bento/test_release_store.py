"""A release is imported into BentoML's model store once, and anew when it is another."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import bentoml
import pytest
from running import bentoml_home
from tiny_world import make_release

from bento.release_store import MODEL, RELEASE_VARIABLE, find_release
from gemel.core.artifacts import MANIFEST, artifact_hash
from gemel.core.errors import ArtifactError
from gemel.core.settings import BackboneSettings
from gemel.embedding import embed
from gemel.predictor import Linker
from gemel.registry.pointer import RELEASES, point, put_bundle


@pytest.fixture
def empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv(RELEASE_VARIABLE, raising=False)
    with bentoml_home(tmp_path / "bentoml") as home:
        yield home


def test_release_is_imported_once_and_anew_when_it_changes(
    empty_store: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_release: Path,
    tiny_backbones: BackboneSettings,
    tiny_dataset: Path,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(RELEASE_VARIABLE, str(tiny_release))
    stored = find_release(tmp_path)
    assert stored.is_relative_to(empty_store)
    (model,) = bentoml.models.list(MODEL)
    assert model.tag.version == artifact_hash(tiny_release)[:16]
    assert model.info.labels == {
        "dataset": "tiny",
        "format": "2",
        "backbone": "reference",
        "accuracy_dev": "0.200",
        "accuracy_test": "0.200",
    }
    written = (stored / MANIFEST).stat().st_ctime_ns
    assert find_release(tmp_path) == stored
    assert (stored / MANIFEST).stat().st_ctime_ns == written
    monkeypatch.setenv(RELEASE_VARIABLE, str(make_release(tmp_path / "new", tiny_backbones, tiny_dataset, seed=1)))
    assert find_release(tmp_path) != stored
    assert len(bentoml.models.list(MODEL)) == 2


@pytest.mark.usefixtures("empty_store")
def test_half_imported_release_is_imported_again(
    monkeypatch: pytest.MonkeyPatch, tiny_release: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv(RELEASE_VARIABLE, str(tiny_release))
    stored = find_release(tmp_path)
    (stored / "mapper.safetensors").write_bytes(b"")
    assert find_release(tmp_path) == stored
    (stored / "model.yaml").unlink()
    assert find_release(tmp_path) == stored
    Linker.load(stored)


@pytest.mark.usefixtures("empty_store")
def test_without_a_release_the_latest_of_the_store_is_used(tiny_release: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"artifacts/release: no release .* run `make repro` \(or `dvc pull`\)"):
        find_release(tmp_path)
    shutil.copytree(tiny_release, tmp_path / "artifacts" / "release")
    stored = find_release(tmp_path)
    shutil.rmtree(tmp_path / "artifacts")
    assert find_release(tmp_path) == stored


@pytest.fixture
def promoted(tmp_path: Path, tiny_release: Path) -> Path:
    """A project with a champion, and a release of a later run that was not promoted. Gives the champion's bundle."""
    shutil.copytree(tiny_release, tmp_path / "artifacts" / "release")
    (tmp_path / "artifacts" / "release" / MANIFEST).write_text("{}")
    bundle = put_bundle(tiny_release, tmp_path / RELEASES, artifact_hash(tiny_release))
    point(bundle.parent, bundle.name)
    return bundle


@pytest.mark.usefixtures("empty_store")
def test_champion_is_served_and_not_the_last_runs_release(promoted: Path, tmp_path: Path) -> None:
    assert find_release(tmp_path).name == promoted.name


@pytest.mark.usefixtures("empty_store")
def test_champion_whose_bundle_is_gone_is_not_replaced_by_another(promoted: Path, tmp_path: Path) -> None:
    shutil.rmtree(promoted)
    with pytest.raises(ArtifactError, match=r"champion: the bundle of the champion, .* is gone; .* brings it back"):
        find_release(tmp_path)


@pytest.mark.usefixtures("empty_store")
def test_flipped_bit_in_the_champions_manifest_is_not_imported(promoted: Path, tmp_path: Path) -> None:
    manifest = promoted / MANIFEST
    manifest.write_text(manifest.read_text().replace("tiny", "tinx", 1))
    with pytest.raises(ArtifactError, match=r"manifest\.json: its SHA-256 begins with .* instead of"):
        find_release(tmp_path)
    assert not bentoml.models.list()


@pytest.mark.usefixtures("empty_store")
def test_named_release_goes_before_the_champion(
    promoted: Path, tmp_path: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(promoted)
    monkeypatch.setenv(RELEASE_VARIABLE, str(tiny_release))
    assert find_release(tmp_path).name == artifact_hash(tiny_release)[:16]


@pytest.mark.usefixtures("empty_store")
def test_named_release_that_is_not_there_is_no_reason_to_take_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(RELEASE_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(ArtifactError, match="no release there, though GEMEL_RELEASE names it"):
        find_release(tmp_path)


@pytest.mark.usefixtures("empty_store")
def test_damaged_release_is_not_imported(monkeypatch: pytest.MonkeyPatch, tiny_release: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(tiny_release, tmp_path / "damaged")
    (damaged / "corpus.parquet").write_bytes(b"x")
    monkeypatch.setenv(RELEASE_VARIABLE, str(damaged))
    with pytest.raises(ArtifactError, match=r"corpus\.parquet: 1 bytes, but its manifest says"):
        find_release(tmp_path)


@pytest.mark.usefixtures("empty_store")
def test_release_with_its_models_is_imported_with_them(
    monkeypatch: pytest.MonkeyPatch, tiny_release: Path, tmp_path: Path
) -> None:
    embed(tiny_release, tmp_path / "embedded")
    monkeypatch.setenv(RELEASE_VARIABLE, str(tmp_path / "embedded"))
    stored = find_release(tmp_path)
    shutil.rmtree(tmp_path / "embedded")
    Linker.load(stored, root=tmp_path)
    assert bentoml.models.get(f"{MODEL}:latest").info.labels["backbone"] == "embed"


@pytest.mark.usefixtures("empty_store")
def test_release_of_a_newer_format_is_not_imported(
    monkeypatch: pytest.MonkeyPatch, tiny_release: Path, tmp_path: Path
) -> None:
    newer = shutil.copytree(tiny_release, tmp_path / "newer")
    manifest = json.loads((newer / MANIFEST).read_text())
    manifest["facts"]["format"] = 3
    (newer / MANIFEST).write_text(json.dumps(manifest))
    monkeypatch.setenv(RELEASE_VARIABLE, str(newer))
    with pytest.raises(ArtifactError, match=r"written by a newer gemel .*: upgrade gemel"):
        find_release(tmp_path)
    assert not bentoml.models.list()
