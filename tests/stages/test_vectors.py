"""Vectors that a data set brings go through the stages in place of images, if the backbone's encoder made them."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny_world import VISION_WIDTH

from gemel.core.errors import DataError
from gemel.core.images import read_image
from gemel.core.schema import SPLITS
from gemel.core.settings import BackboneSettings
from gemel.features.encoder import load_encoder
from gemel.features.store import FeatureStore
from gemel.posts.gemel_jsonl import import_gemel_jsonl
from gemel.posts.tables import Tables
from gemel.posts.vector_file import VectorFile
from gemel.stages import IMAGE_FEATURES, POSTS, PROGRESS, image_features, posts
from stages.encoded_images import encoded_images


@pytest.fixture
def reference(project_copy: Path, tiny_backbones: BackboneSettings) -> VectorFile:
    """The reference's files, in the folder `lines`, for one picture a split; the third one has no vector."""
    encoder = load_encoder(tiny_backbones.vision.model)
    images = project_copy / "data" / "tiny" / "images"
    (project_copy / "lines").mkdir()
    with h5py.File(project_copy / "clip.hdf5", "w") as file:
        for number, (name, split) in enumerate(zip(("00.png", "01.png", "02.png"), SPLITS, strict=True)):
            text = {"mention": "A", "text": f"A {number}", "target": "A", "golden": "A", "qid": "Q1"}
            line = text | {"sent_id": number, "img_name": name}
            (project_copy / "lines" / f"{split}.json").write_text(json.dumps(line) + "\n")
            if number < 2:
                file[name] = encoder.encode([read_image(images / name)])
    shutil.copytree(images, project_copy / "images")
    return VectorFile(project_copy / "clip.hdf5", encoder.name)


def test_vectors_are_taken_over_and_the_rest_is_encoded(
    project_copy: Path, reference: VectorFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = [FeatureStore(IMAGE_FEATURES)[sha256] for sha256 in Tables.read(POSTS).posts["image_sha256"][:3]]
    import_gemel_jsonl(project_copy / "lines", Path("data/tiny"), project_copy / "images", reference)
    sizes = encoded_images(monkeypatch)
    # Without the vectors that the project has of these pictures itself.
    shutil.rmtree(IMAGE_FEATURES)
    shutil.rmtree(PROGRESS)
    posts.main()
    image_features.main()
    table = Tables.read(POSTS).posts
    assert table["image_status"].to_list() == ["vector", "vector", "read"]
    assert sum(sizes) == 1
    features = FeatureStore(IMAGE_FEATURES)
    for sha256, vector in zip(table["image_sha256"], encoded, strict=True):
        np.testing.assert_allclose(features[sha256], vector, rtol=1e-5, atol=1e-6)


def test_vectors_of_another_encoder_are_refused(project_copy: Path, reference: VectorFile) -> None:
    other = VectorFile(reference.path, "ViT-L-14/openai")
    import_gemel_jsonl(project_copy / "lines", Path("data/tiny"), None, other)
    posts.main()
    words = rf"image_vectors\.npy: made by ViT-L-14/openai, {VISION_WIDTH} numbers each, but backbone\.vision is"
    with pytest.raises(DataError, match=words):
        image_features.main()


def test_vectors_of_another_width_are_refused(project_copy: Path, reference: VectorFile) -> None:
    with h5py.File(reference.path, "w") as file:
        file["00.png"] = np.ones(1_024, np.float32)
    import_gemel_jsonl(project_copy / "lines", Path("data/tiny"), None, reference)
    posts.main()
    with pytest.raises(DataError, match=rf"1024 numbers each, .* which gives {VISION_WIDTH}; choose that backbone"):
        image_features.main()
