"""One tiny project that went through all stages, `posts` to `release`, by their own main functions."""

import shutil
from pathlib import Path

import pytest

from gemel.core.settings import BackboneSettings


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_backbones: BackboneSettings, tiny_dataset: Path) -> Path:
    """The finished project. Read it only; `project_copy` may be changed."""
    from tiny_world import write_params

    from gemel.stages import (
        baselines,
        demonstrations,
        entity_trie,
        evaluation,
        image_features,
        mapper,
        posts,
        release,
    )

    root = tmp_path_factory.mktemp("project")
    shutil.copytree(tiny_dataset, root / "data" / "tiny")
    write_params(root, tiny_backbones)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for stage in (posts, image_features, demonstrations, entity_trie, mapper, evaluation, baselines, release):
            stage.main()
    return root


@pytest.fixture
def in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The finished project, as the current folder. Read it only."""
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def project_copy(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished project, as the current folder, that a test may change."""
    copy = shutil.copytree(project, tmp_path / "project")
    monkeypatch.chdir(copy)
    return copy
