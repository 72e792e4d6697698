"""BentoML's store loses the releases that have the post, and keeps the others."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import bentoml
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models import ModelStore

from gemel.forgetting.releases import bentos_holding, in_model_store
from gemel.forgetting.trace import Trace


def stored(version: str, release: Path) -> None:
    context = bentoml.models.ModelContext(framework_name="torch", framework_versions={"torch": "2"})
    with bentoml.models.create(f"gemel:{version}", context=context) as model:
        shutil.copytree(release, model.path, dirs_exist_ok=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_release: Path) -> Iterator[Path]:
    """A store with one release that has the post, and one whose demonstrations are others."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    with (
        BentoMLContainer.bentoml_home.patch(str(tmp_path)),
        BentoMLContainer.model_store.patch(ModelStore(tmp_path / "models")),
    ):
        other = shutil.copytree(tiny_release, tmp_path / "other")
        (other / "corpus.parquet").unlink()
        (other / "README.md").unlink()
        stored("with", tiny_release)
        stored("without", other)
        yield tmp_path


def test_release_with_it_is_deleted(home: Path, trace: Trace) -> None:
    (place,) = in_model_store(home, trace)
    assert place.where == "BentoML's model gemel:with"
    place.remove()
    assert [model.tag.version for model in bentoml.models.list("gemel")] == ["without"]
    assert list(in_model_store(home, trace)) == []


def test_bento_with_it_is_named(home: Path, trace: Trace, tiny_release: Path) -> None:
    shutil.copytree(tiny_release, home / "bentos/gemel/abc/src/artifacts/release")
    assert bentos_holding(trace) == ["gemel:abc"]
