"""The feature store: each image once, keyed by its bytes, and no shard encoded twice."""

import dataclasses
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_world import write_picture
from torch import Tensor, nn

from gemel.core.artifacts import file_sha256
from gemel.core.errors import ArtifactError
from gemel.core.image_files import ImageFolder
from gemel.core.images import read_image
from gemel.features import store
from gemel.features.encoder import Vectors, VisionEncoder
from gemel.features.store import FeatureStore, write_features

WIDTH = 3


class MeanColour(nn.Module):
    """A tower whose vector is an image's mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean(dim=(2, 3)) * self.scale


class Counting:
    """Counts the images that an encoder is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images = 0
        encode = VisionEncoder.encode

        def counted(encoder: VisionEncoder, images: Sequence[Image.Image]) -> Vectors:
            self.images += len(images)
            return encode(encoder, images)

        monkeypatch.setattr(VisionEncoder, "encode", counted)


def to_pixels(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255


@pytest.fixture
def encoder() -> VisionEncoder:
    return VisionEncoder("mean-colour", WIDTH, MeanColour(), to_pixels)


@pytest.fixture
def images(tmp_path: Path) -> dict[str, str]:
    """Five pictures in a folder, by the SHA-256 of their bytes."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [write_picture(folder / f"{number}.png", (40 * number, 90, 90), rng) for number in range(5)]
    return {file_sha256(path): path.name for path in paths}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SHARD_ROWS", 2)


def write(folder: Path, images: dict[str, str], encoder: VisionEncoder, batch_size: int = 1) -> FeatureStore:
    folder.mkdir()
    write_features(
        folder, images, ImageFolder(folder.with_name("images")), encoder, folder.with_name("progress"), batch_size
    )
    return FeatureStore(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_image_is_found_by_its_hash(tmp_path: Path, images: dict[str, str], encoder: VisionEncoder) -> None:
    features = write(tmp_path / "features", images, encoder)
    assert set(features) == set(images)
    for sha256, name in images.items():
        np.testing.assert_array_equal(features[sha256], encoder.encode([read_image(tmp_path / "images" / name)])[0])


def test_each_image_is_encoded_once(
    tmp_path: Path, images: dict[str, str], encoder: VisionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting(monkeypatch)
    write(tmp_path / "features", images, encoder)
    assert counting.images == len(images)


def test_shards_are_bounded(tmp_path: Path, images: dict[str, str], encoder: VisionEncoder) -> None:
    write(tmp_path / "features", images, encoder)
    assert [len(np.load(path)) for path in sorted((tmp_path / "features").glob("*.npy"))] == [2, 2, 1]


def test_unknown_image_is_a_key_error(tmp_path: Path, images: dict[str, str], encoder: VisionEncoder) -> None:
    features = write(tmp_path / "features", images, encoder)
    assert "0" * 64 not in features
    with pytest.raises(KeyError):
        features["0" * 64]


def test_progress_is_removed_at_the_end(tmp_path: Path, images: dict[str, str], encoder: VisionEncoder) -> None:
    write(tmp_path / "features", images, encoder)
    assert not (tmp_path / "progress").exists()


def test_store_does_not_depend_on_the_order_of_images(
    tmp_path: Path, images: dict[str, str], encoder: VisionEncoder
) -> None:
    write(tmp_path / "a", images, encoder)
    write(tmp_path / "b", dict(reversed(images.items())), encoder)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def killed_in_the_second_shard(folder: Path, images: dict[str, str], encoder: VisionEncoder) -> int:
    """Encode in a child process that kills itself before the fourth image. Returns: its exit status."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        seen = iter(range(3))

        def to_pixels_or_die(image: Image.Image) -> Tensor:
            if next(seen, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return to_pixels(image)

        write(folder, images, dataclasses.replace(encoder, preprocess=to_pixels_or_die))
    finally:
        os._exit(1)


def test_killed_run_goes_on_and_gives_equal_bytes(
    tmp_path: Path, images: dict[str, str], encoder: VisionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "whole", images, encoder)
    assert killed_in_the_second_shard(tmp_path / "killed", images, encoder) == -signal.SIGKILL
    assert len(list((tmp_path / "progress").glob("*.npy"))) == 1
    counting = Counting(monkeypatch)
    write(tmp_path / "resumed", images, encoder)
    assert counting.images == len(images) - 2
    assert contents(tmp_path / "resumed") == contents(tmp_path / "whole")


def test_shard_of_another_encoder_is_not_taken_over(
    tmp_path: Path, images: dict[str, str], encoder: VisionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = VisionEncoder("other", encoder.width, encoder.tower, encoder.preprocess)
    progress = tmp_path / "progress"
    progress.mkdir()
    for shard in (sorted(images)[:2], sorted(images)[2:4], sorted(images)[4:]):
        np.save(progress / f"{store._shard_key(shard, other)}.npy", np.zeros((len(shard), encoder.width)))
    counting = Counting(monkeypatch)
    write(tmp_path / "features", images, encoder)
    assert counting.images == len(images)


def test_missing_index_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"index.parquet: unreadable .*; run `dvc repro image_features`"):
        FeatureStore(tmp_path)


def test_damaged_index_names_the_stage(tmp_path: Path, images: dict[str, str], encoder: VisionEncoder) -> None:
    write(tmp_path / "features", images, encoder)
    index = tmp_path / "features" / store.INDEX
    index.write_bytes(index.read_bytes()[:50])
    with pytest.raises(ArtifactError, match=r"index.parquet: unreadable .*; run `dvc repro image_features`"):
        FeatureStore(tmp_path / "features")


def test_missing_image_has_no_vector_by_default(tmp_path: Path, images: dict[str, str], encoder: VisionEncoder) -> None:
    vector_of = write(tmp_path / "features", images, encoder).vector_or_fallback("leave_out")
    assert vector_of(None) is None
    found = vector_of(next(iter(images)))
    assert found is not None
    assert found.shape == (WIDTH,)


def test_missing_image_may_be_a_vector_of_zeros(tmp_path: Path, images: dict[str, str], encoder: VisionEncoder) -> None:
    vector_of = write(tmp_path / "features", images, encoder).vector_or_fallback("zero_vector")
    np.testing.assert_array_equal(vector_of(None), np.zeros(WIDTH, dtype=np.float32))


def test_no_image_at_all_gives_an_empty_store(tmp_path: Path, encoder: VisionEncoder) -> None:
    features = write(tmp_path / "features", {}, encoder)
    assert len(features) == 0
    assert features.vector_or_fallback("leave_out")(None) is None
