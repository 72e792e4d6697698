"""Fixtures of the tiny world. What they give is shared by all tests of a run: copy it before changing it.

The world's module is imported where it is used: tests that do without it must not wait for torch and transformers.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

from gemel.core.settings import BackboneSettings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# So that `flows`, `bento` and `sample` are found from wherever the tests are started.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture(scope="session")
def tiny_backbones(tmp_path_factory: pytest.TempPathFactory) -> BackboneSettings:
    """A random LLM and a random vision encoder, named by absolute paths."""
    from tiny_world import make_backbones

    return make_backbones(tmp_path_factory.mktemp("backbones"))


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 5 entities and 22 posts."""
    from tiny_world import make_dataset

    return make_dataset(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def tiny_release(
    tmp_path_factory: pytest.TempPathFactory, tiny_backbones: BackboneSettings, tiny_dataset: Path
) -> Path:
    """A release bundle over the tiny backbones and the tiny data set."""
    from tiny_world import make_release

    return make_release(tmp_path_factory.mktemp("artifacts") / "release", tiny_backbones, tiny_dataset)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_backbones: BackboneSettings, tiny_dataset: Path) -> Path:
    """One tiny project that went through all stages by their own main functions. Read it only; `project_copy` may be
    changed."""
    from tiny_world import write_params

    from gemel.stages import (
        baselines,
        confidence,
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
        before = (posts, image_features, demonstrations, entity_trie, mapper)
        for stage in (*before, confidence, evaluation, baselines, release):
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
