"""Encoders of timm: pooled vectors, their own preprocessing, and no weight left random."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.data import create_transform, resolve_data_config
from timm.models import save_for_hf

from gemel.core.errors import BackboneError
from gemel.features.encoder import load_encoder

SIZE = 160


@pytest.fixture(params=["test_vit", "test_resnet"])
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def checkpoint(model: str, tmp_path: Path) -> Path:
    """Random weights of the model, with a classifier of its usual size."""
    torch.manual_seed(0)
    save_file(timm.create_model(model).state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


@pytest.fixture
def folder(model: str, tmp_path: Path) -> Path:
    """A folder as timm saves it: random weights of the model at half its size, a classifier of 7."""
    torch.manual_seed(0)
    facts = {"input_size": (3, 80, 80), "mean": (0.1, 0.2, 0.3), "num_classes": 7, "test_input_size": None}
    save_for_hf(timm.create_model(model, pretrained_cfg_overlay=facts), tmp_path / "folder", safe_serialization=True)
    return tmp_path / "folder"


def rewrite(config: Path, **facts: Any) -> None:
    """Change what a folder's config.json says of the model."""
    config.write_text(json.dumps(json.loads(config.read_text()) | facts))


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8), "RGB")


def test_vector_is_the_one_before_the_classifier(model: str, checkpoint: Path, image: Image.Image) -> None:
    theirs = timm.create_model(model, checkpoint_path=str(checkpoint)).eval()
    preprocess = create_transform(**resolve_data_config({}, model=theirs), is_training=False)
    with torch.inference_mode():
        wanted = theirs.forward_head(theirs.forward_features(preprocess(image)[None]), pre_logits=True)
    encoder = load_encoder(f"timm:{model}", str(checkpoint))
    found = encoder.encode([image])
    assert found.shape == (1, encoder.width) == tuple(wanted.shape)
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_name_says_model_and_weights(model: str, checkpoint: Path) -> None:
    assert load_encoder(f"timm:{model}", str(checkpoint)).name == f"timm:{model}/{checkpoint}"


def test_encoder_is_frozen(model: str, checkpoint: Path) -> None:
    tower = load_encoder(f"timm:{model}", str(checkpoint)).tower
    assert not any(parameter.requires_grad for parameter in tower.parameters())
    assert not tower.training


@pytest.mark.parametrize("classes", [0, 7])
def test_weights_may_have_another_classifier_or_none(model: str, classes: int, tmp_path: Path) -> None:
    module = timm.create_model(model, num_classes=classes)
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    tower = load_encoder(f"timm:{model}", str(tmp_path / "weights.pth")).tower
    assert all(torch.equal(values, module.state_dict()[key]) for key, values in tower.state_dict().items())


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(BackboneError, match=r"timm:test_vit: can't be loaded .*Missing key"):
        load_encoder("timm:test_vit", str(tmp_path / "weights.safetensors"))


def test_incomplete_weights_are_refused(model: str, tmp_path: Path) -> None:
    weights = timm.create_model(model, num_classes=0).state_dict()
    weights.pop(next(iter(weights)))
    save_file(weights, tmp_path / "weights.safetensors")
    with pytest.raises(BackboneError, match=r"can't be loaded"):
        load_encoder(f"timm:{model}", str(tmp_path / "weights.safetensors"))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"no weights")
    with pytest.raises(BackboneError, match=r"timm:test_vit: can't be loaded"):
        load_encoder("timm:test_vit", str(tmp_path / "weights.pth"))


def test_pickled_code_in_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"model": Image.new("RGB", (1, 1))}, tmp_path / "weights.pth")
    with pytest.raises(BackboneError, match=r"can't be loaded \(weights_only=True blocked"):
        load_encoder("timm:test_vit", str(tmp_path / "weights.pth"))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"timm:test_vit: no such checkpoint file .*; correct backbone.vision"):
        load_encoder("timm:test_vit", str(tmp_path / "weights.safetensors"))


def test_name_without_weights_is_refused() -> None:
    with pytest.raises(BackboneError, match=r"timm:resnet101: no weights named; set backbone.vision.pretrained"):
        load_encoder("timm:resnet101")


@pytest.mark.parametrize(("name", "tag"), [("no_such_model", "in1k"), ("resnet101", "no_such_tag")])
def test_unknown_name_and_tag_are_refused(name: str, tag: str) -> None:
    with pytest.raises(BackboneError, match=rf"timm:{name}: can't be loaded .*{name if name != 'resnet101' else tag}"):
        load_encoder(f"timm:{name}", tag)


def test_model_without_pooling_is_refused(monkeypatch: pytest.MonkeyPatch, checkpoint: Path, model: str) -> None:
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *names, **options: create(*names, **options, global_pool=""))
    with pytest.raises(BackboneError, match=r"gives \(1, .* for one image, not one pooled vector"):
        load_encoder(f"timm:{model}", str(checkpoint))


def test_folder_brings_its_weights_and_its_preprocessing(folder: Path, image: Image.Image) -> None:
    theirs = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    preprocess = create_transform(**resolve_data_config({}, model=theirs), is_training=False)
    assert preprocess(image).shape == (3, 80, 80)
    with torch.inference_mode():
        wanted = theirs.forward_head(theirs.forward_features(preprocess(image)[None]), pre_logits=True)
    encoder = load_encoder(f"timm:local-dir:{folder}")
    np.testing.assert_allclose(encoder.encode([image]), wanted.numpy(), rtol=1e-5, atol=1e-6)
    assert (encoder.name, encoder.width) == (f"timm:local-dir:{folder}", wanted.shape[1])


def test_half_precision_in_a_folder_is_read_as_float32(folder: Path) -> None:
    weights = {key: values.half() for key, values in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors")
    state = load_encoder(f"timm:local-dir:{folder}").tower.state_dict()
    assert all(torch.equal(values, weights[key].to(values.dtype)) for key, values in state.items())
    assert {values.dtype for values in state.values() if values.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("classes", [0, 28])
def test_folder_whose_config_has_another_classifier_leaves_nothing_random(folder: Path, classes: int) -> None:
    arguments = json.loads((folder / "config.json").read_text())["model_args"]
    rewrite(folder / "config.json", num_classes=classes, model_args=arguments | {"num_classes": classes})
    weights = load_file(folder / "model.safetensors")
    state = load_encoder(f"timm:local-dir:{folder}").tower.state_dict()
    assert all(torch.equal(values, weights[key]) for key, values in state.items())


def test_incomplete_weights_in_a_folder_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(key for key in weights if key.endswith("weight")))
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(BackboneError, match=r"timm:local-dir:.*: can't be loaded .*Missing key"):
        load_encoder(f"timm:local-dir:{folder}")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_folder_without_a_file_is_refused(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(BackboneError, match=rf"timm:local-dir:.*: no {file} in {folder}; run `dvc pull`, or choose"):
        load_encoder(f"timm:local-dir:{folder}")


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"no config.json and no model.safetensors in .*/gone; run `dvc pull`"):
        load_encoder(f"timm:local-dir:{tmp_path}/gone")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"architecture": "no_such_model"}, "config.json names the architecture 'no_such_model', which timm does not"),
        ({"model_args": {"flavour": 1}}, "config.json has model_args that test_.* does not take .*'flavour'"),
    ],
)
def test_folder_of_an_unknown_model_is_refused(folder: Path, facts: dict[str, object], words: str) -> None:
    rewrite(folder / "config.json", **facts)
    with pytest.raises(BackboneError, match=words):
        load_encoder(f"timm:local-dir:{folder}")


@pytest.mark.parametrize("content", ["no json", "{}"])
def test_damaged_config_in_a_folder_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(BackboneError, match=r"timm:local-dir:.*: can't be loaded"):
        load_encoder(f"timm:local-dir:{folder}")


def test_folder_with_other_weights_beside_it_is_refused(folder: Path) -> None:
    with pytest.raises(BackboneError, match=r"a folder brings its own weights; set backbone.vision.pretrained to null"):
        load_encoder(f"timm:local-dir:{folder}", "a1_in1k")
