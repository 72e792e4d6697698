"""Encoders of timm: pooled vectors, their own preprocessing, and no weight left random."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_data_config

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
