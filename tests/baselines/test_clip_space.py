"""The space of pictures and strings is open_clip's own, entered from stored vectors."""

import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from tiny_world import VISION_WIDTH, write_picture

from gemel.baselines.clip_space import ClipSpace, NoTextTowerError, load_clip_space
from gemel.core.errors import BackboneError
from gemel.core.images import read_image
from gemel.core.settings import BackboneSettings, VisionSettings
from gemel.features.encoder import load_encoder

TEXTS = ["a photo of Jaguar, animal", "a photo of Amazon, river", "a photo of Jaguar, animal"]


@pytest.fixture(scope="module")
def space(tiny_backbones: BackboneSettings) -> ClipSpace:
    return load_clip_space(tiny_backbones.vision)


@pytest.fixture
def folder(tiny_backbones: BackboneSettings, tmp_path: Path) -> Path:
    """A copy of the tiny model's folder."""
    return shutil.copytree(tiny_backbones.vision.model.removeprefix("local-dir:"), tmp_path / "clip")


def test_projected_vectors_are_those_of_open_clip(
    space: ClipSpace, tiny_backbones: BackboneSettings, tmp_path: Path
) -> None:
    image = read_image(write_picture(tmp_path / "picture.png"))
    clip, preprocess = open_clip.create_model_from_pretrained(tiny_backbones.vision.model)
    with torch.inference_mode():
        theirs = clip.encode_image(preprocess(image)[None], normalize=True)
    ours = space.project(load_encoder(tiny_backbones.vision.model).encode([image]))
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)


def test_texts_are_those_of_open_clip(space: ClipSpace, tiny_backbones: BackboneSettings) -> None:
    clip, _ = open_clip.create_model_from_pretrained(tiny_backbones.vision.model)
    with torch.inference_mode():
        theirs = clip.encode_text(open_clip.get_tokenizer(tiny_backbones.vision.model)(TEXTS), normalize=True)
    ours = space.read(TEXTS)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
    assert not np.allclose(ours[0], ours[1])


def test_equal_texts_have_equal_vectors(space: ClipSpace) -> None:
    first, _, last = space.read(TEXTS)
    assert (first == last).all()


def test_width_is_that_before_the_projection(space: ClipSpace) -> None:
    assert space.vision_width == VISION_WIDTH


def test_other_families_have_no_text_tower() -> None:
    words = r"timm:resnet101: encoders of timm have no text tower; choose one of open_clip"
    with pytest.raises(NoTextTowerError, match=words):
        load_clip_space(VisionSettings("timm:resnet101", "a1_in1k"))


def test_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    del config["model_cfg"]["text_cfg"]["hf_tokenizer_name"]
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    words = r"the text tower has 8 tokens, its tokenizer gives token \d+; put the model's tokenizer into its folder"
    with pytest.raises(NoTextTowerError, match=words):
        load_clip_space(VisionSettings(f"local-dir:{folder}")).read(TEXTS)


def test_missing_folder_is_no_missing_text_tower(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="can't be loaded") as caught:
        load_clip_space(VisionSettings(f"local-dir:{tmp_path / 'gone'}"))
    assert not isinstance(caught.value, NoTextTowerError)
