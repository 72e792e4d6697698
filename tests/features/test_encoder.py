"""The frozen vision encoder gives the pooled vector before the projection."""

import copy
import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_world import IMAGE_SIZE, VISION_WIDTH
from torchvision.transforms import ToTensor

from gemel.core.errors import BackboneError
from gemel.core.images import PREPROCESSING
from gemel.core.settings import BackboneSettings
from gemel.features.encoder import VisionEncoder, load_encoder


@pytest.fixture(scope="module")
def encoder(tiny_backbones: BackboneSettings) -> VisionEncoder:
    return load_encoder(tiny_backbones.vision.model)


def make_images(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8), "RGB") for _ in range(count)
    ]


def test_vectors_have_the_towers_width_not_the_projections(encoder: VisionEncoder) -> None:
    vectors = encoder.encode(make_images(3))
    assert encoder.width == VISION_WIDTH
    assert vectors.shape == (3, VISION_WIDTH)
    assert vectors.dtype == np.float32


def test_projected_vectors_are_those_of_open_clip(encoder: VisionEncoder, tiny_backbones: BackboneSettings) -> None:
    clip, preprocess = open_clip.create_model_from_pretrained(tiny_backbones.vision.model)
    images = make_images(2)
    with torch.inference_mode():
        theirs = clip.encode_image(torch.stack([preprocess(image) for image in images]))
        ours = torch.from_numpy(encoder.encode(images)) @ clip.visual.proj
    torch.testing.assert_close(ours, theirs)


def test_vector_does_not_depend_on_the_batch(encoder: VisionEncoder) -> None:
    images = make_images(4)
    alone = np.concatenate([encoder.encode([image]) for image in images])
    np.testing.assert_allclose(encoder.encode(images), alone, rtol=1e-5, atol=1e-6)


def test_no_image_gives_no_vector(encoder: VisionEncoder) -> None:
    assert encoder.encode([]).shape == (0, VISION_WIDTH)


def test_encoder_is_frozen(encoder: VisionEncoder) -> None:
    assert not any(parameter.requires_grad for parameter in encoder.tower.parameters())
    assert not encoder.tower.training


def test_parameters_are_those_of_the_tower_without_its_projection(
    encoder: VisionEncoder, tiny_backbones: BackboneSettings
) -> None:
    clip, _ = open_clip.create_model_from_pretrained(tiny_backbones.vision.model)
    whole = sum(parameter.numel() for parameter in clip.visual.parameters())
    assert encoder.parameters == whole - clip.visual.proj.numel()


def test_name_says_what_was_loaded(encoder: VisionEncoder, tiny_backbones: BackboneSettings) -> None:
    assert encoder.name == tiny_backbones.vision.model


def test_name_without_weights_is_refused() -> None:
    with pytest.raises(BackboneError, match=r"ViT-L-14: no weights named; set backbone.vision.pretrained"):
        load_encoder("ViT-L-14")


def test_unknown_name_is_refused() -> None:
    with pytest.raises(BackboneError, match=r"ViT-Nope: can't be loaded .*; check the name, the tag"):
        load_encoder("ViT-Nope", "openai")


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    words = rf"local-dir:{re.escape(str(tmp_path))}/no: no such folder; run `dvc pull`"
    with pytest.raises(BackboneError, match=words):
        load_encoder(f"local-dir:{tmp_path}/no")


def test_folder_without_weights_is_refused(tmp_path: Path, tiny_backbones: BackboneSettings) -> None:
    config = Path(tiny_backbones.vision.model.removeprefix("local-dir:")) / "open_clip_config.json"
    (tmp_path / config.name).write_text(config.read_text())
    with pytest.raises(BackboneError, match="can't be loaded"):
        load_encoder(f"local-dir:{tmp_path}")


def test_damaged_weights_are_refused(tmp_path: Path, tiny_backbones: BackboneSettings) -> None:
    for file in Path(tiny_backbones.vision.model.removeprefix("local-dir:")).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 300 if file.suffix == ".safetensors" else None])
    with pytest.raises(BackboneError, match="can't be loaded"):
        load_encoder(f"local-dir:{tmp_path}")


def test_tower_without_a_projection_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"embed_dim": 8, "vision_cfg": {"image_size": 16, "layers": [1, 1, 1, 1], "width": 8}}
    config["text_cfg"] = {"context_length": 4, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny-resnet", config)
    resnet = open_clip.create_model("tiny-resnet")
    torch.save(resnet.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(BackboneError, match="no final projection"):
        load_encoder("tiny-resnet", str(tmp_path / "weights.pt"))


def test_fingerprint_is_the_same_at_each_loading(encoder: VisionEncoder, tiny_backbones: BackboneSettings) -> None:
    assert load_encoder(tiny_backbones.vision.model).fingerprint == encoder.fingerprint


def test_fingerprint_follows_the_weights_at_one_path(tmp_path: Path, tiny_backbones: BackboneSettings) -> None:
    folder = shutil.copytree(tiny_backbones.vision.model.removeprefix("local-dir:"), tmp_path / "clip")
    before = load_encoder(f"local-dir:{folder}")
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.ln_post.bias"][0] += 1e-6
    save_file(weights, folder / "open_clip_model.safetensors")
    after = load_encoder(f"local-dir:{folder}")
    assert after.name == before.name
    assert after.fingerprint != before.fingerprint


def test_fingerprint_follows_the_name(encoder: VisionEncoder) -> None:
    assert dataclasses.replace(encoder, name="other").fingerprint != encoder.fingerprint


def test_fingerprint_follows_the_preprocessing(encoder: VisionEncoder) -> None:
    assert dataclasses.replace(encoder, preprocess=ToTensor()).fingerprint != encoder.fingerprint


def test_fingerprint_follows_the_rules_of_the_decoder(encoder: VisionEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.features.encoder.PREPROCESSING", PREPROCESSING + 1)
    assert dataclasses.replace(encoder).fingerprint != encoder.fingerprint


def test_fingerprint_takes_weights_of_half_precision(encoder: VisionEncoder) -> None:
    half = dataclasses.replace(encoder, tower=copy.deepcopy(encoder.tower).bfloat16())
    assert half.fingerprint != encoder.fingerprint
