"""The feature store: each image once, keyed by its bytes; what has a vector is not encoded again."""

import dataclasses
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from mean_colour import MeanColour, to_pixels
from PIL import Image
from torch import Tensor

from gemel.core.artifacts import new_artifact
from gemel.core.errors import ArtifactError
from gemel.core.image_files import ImageFolder
from gemel.core.images import read_image
from gemel.features import parts, store
from gemel.features.encoder import VisionEncoder
from gemel.features.loading import Wanted
from gemel.features.parts import write_parts
from gemel.features.store import FINGERPRINT, FeatureStore, former_store, write_features


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows a shard, two a part: the two don't fit each other."""
    monkeypatch.setattr(store, "SHARD_ROWS", 3)
    monkeypatch.setattr(parts, "PART_IMAGES", 2)


class Writer:
    """Writes stores of the pictures in a folder, and counts what it encodes."""

    def __init__(self, files: ImageFolder, encoder: VisionEncoder, parts: Path) -> None:
        self.files, self.encoder, self.parts = files, encoder, parts
        self.encoded: list[str] = []

    def write(self, folder: Path, images: Sequence[Wanted], former: Path | None = None) -> FeatureStore:
        folder.mkdir()
        names = {image.sha256: image.name for image in images}
        write_features(folder, names, self._encode, self.parts, former)
        return FeatureStore(folder)

    def _encode(self, missing: Sequence[Wanted]) -> list[Path]:
        self.encoded += [image.name for image in missing]
        return list(write_parts(missing, self.files, self.encoder, self.parts, batch_size=1, workers=0))


@pytest.fixture
def writer(files: ImageFolder, encoder: VisionEncoder, tmp_path: Path) -> Writer:
    return Writer(files, encoder, tmp_path / "parts")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_image_is_found_by_its_hash(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    features = writer.write(tmp_path / "features", images)
    assert list(features) == [image.sha256 for image in images]
    for sha256, name in images:
        picture = read_image(tmp_path / "images" / name)
        np.testing.assert_array_equal(features[sha256], writer.encoder.encode([picture])[0])


def test_shards_are_bounded(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    writer.write(tmp_path / "features", images)
    assert [len(np.load(path)) for path in sorted((tmp_path / "features").glob("*.npy"))] == [3, 2]


@pytest.mark.parametrize("unknown", ["0" * 64, "f" * 64, ""])
def test_unknown_image_is_a_key_error(writer: Writer, images: list[Wanted], tmp_path: Path, unknown: str) -> None:
    features = writer.write(tmp_path / "features", images)
    assert unknown not in features
    with pytest.raises(KeyError):
        features[unknown]


def test_only_new_images_are_encoded(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    writer.write(tmp_path / "before", images[1:4])
    writer.encoded.clear()
    writer.write(tmp_path / "after", images)
    assert writer.encoded == [images[0].name, images[4].name]


def test_vectors_of_a_former_store_are_taken_over(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    writer.write(tmp_path / "before", images[:4])
    writer.encoded.clear()
    writer.parts = tmp_path / "fresh"
    writer.write(tmp_path / "after", images, former=tmp_path / "before")
    assert writer.encoded == [images[4].name]


def test_switching_back_encodes_nothing(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    writer.write(tmp_path / "one", images[:2])
    writer.write(tmp_path / "other", images[2:])
    writer.encoded.clear()
    writer.write(tmp_path / "back", images[:2])
    assert writer.encoded == []
    assert contents(tmp_path / "back") == contents(tmp_path / "one")


@pytest.mark.parametrize("steps", [(1,), (2, 3), (4, 1, 3)])
def test_bytes_do_not_depend_on_how_the_store_grew(
    writer: Writer, images: list[Wanted], tmp_path: Path, steps: tuple[int, ...]
) -> None:
    writer.write(tmp_path / "at once", images)
    writer.parts, former = tmp_path / "fresh", None
    for number, count in enumerate(steps):
        writer.write(tmp_path / f"step {number}", images[-count:], former)
        former = tmp_path / f"step {number}"
    writer.write(tmp_path / "grown", images, former)
    assert contents(tmp_path / "grown") == contents(tmp_path / "at once")


def test_store_does_not_depend_on_the_order_of_images(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    writer.write(tmp_path / "a", images)
    writer.write(tmp_path / "b", images[::-1])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def killed(writer: Writer, folder: Path, images: list[Wanted], after: int) -> int:
    """Encode in a child process that kills itself at an image. Returns: its exit status."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        seen = iter(range(after))

        def to_pixels_or_die(image: Image.Image) -> Tensor:
            if next(seen, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return to_pixels(image)

        writer.encoder = dataclasses.replace(writer.encoder, preprocess=to_pixels_or_die)
        writer.write(folder, images)
    finally:
        os._exit(1)


def test_killed_run_goes_on_and_gives_equal_bytes(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    writer.write(tmp_path / "whole", images)
    writer.parts = tmp_path / "fresh"
    for number, after in enumerate((3, 0, 2)):
        assert killed(writer, tmp_path / f"killed {number}", images, after) == -signal.SIGKILL
    writer.encoded.clear()
    writer.write(tmp_path / "resumed", images)
    assert writer.encoded == [images[4].name]
    assert contents(tmp_path / "resumed") == contents(tmp_path / "whole")


def write_artifact(writer: Writer, images: list[Wanted], folder: Path) -> Path:
    names = {image.sha256: image.name for image in images}
    with new_artifact(folder, store.STAGE, {FINGERPRINT: writer.encoder.fingerprint}) as draft:
        write_features(draft, names, writer._encode, writer.parts)
    return folder


def test_artifact_of_the_same_encoder_is_a_former_store(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    artifact = write_artifact(writer, images, tmp_path / "features")
    assert former_store(artifact, writer.encoder.fingerprint) == artifact


def test_artifact_of_other_weights_is_no_former_store(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    artifact = write_artifact(writer, images, tmp_path / "features")
    tower = MeanColour()
    tower.scale.data += 1
    assert former_store(artifact, dataclasses.replace(writer.encoder, tower=tower).fingerprint) is None


def test_damaged_artifact_is_no_former_store_and_is_warned_of(
    writer: Writer, images: list[Wanted], tmp_path: Path
) -> None:
    artifact = write_artifact(writer, images, tmp_path / "features")
    shard = artifact / "shard-00000.npy"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.warns(UserWarning, match=r"shard-00000.npy: its SHA-256 differs .*; its vectors are not taken over"):
        assert former_store(artifact, writer.encoder.fingerprint) is None


def test_absent_artifact_is_no_former_store(tmp_path: Path) -> None:
    assert former_store(tmp_path / "features", "any") is None


def test_missing_index_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"index.parquet: unreadable .*; run `dvc repro image_features`"):
        FeatureStore(tmp_path)


def test_damaged_index_names_the_stage(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    writer.write(tmp_path / "features", images)
    index = tmp_path / "features" / store.INDEX
    index.write_bytes(index.read_bytes()[:50])
    with pytest.raises(ArtifactError, match=r"index.parquet: unreadable .*; run `dvc repro image_features`"):
        FeatureStore(tmp_path / "features")


def test_missing_image_has_no_vector_by_default(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    vector_of = writer.write(tmp_path / "features", images).vector_or_fallback("leave_out")
    assert vector_of(None) is None
    found = vector_of(images[0].sha256)
    assert found is not None
    assert found.shape == (3,)


def test_missing_image_may_be_a_vector_of_zeros(writer: Writer, images: list[Wanted], tmp_path: Path) -> None:
    vector_of = writer.write(tmp_path / "features", images).vector_or_fallback("zero_vector")
    np.testing.assert_array_equal(vector_of(None), np.zeros(3, dtype=np.float32))


def test_no_image_at_all_gives_an_empty_store(writer: Writer, tmp_path: Path) -> None:
    features = writer.write(tmp_path / "features", [])
    assert len(features) == 0
    assert features.vector_or_fallback("leave_out")(None) is None
