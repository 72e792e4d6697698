"""Parts: written whole, named by their bytes, refused when damaged."""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mean_colour import MeanColour

from gemel.core.artifacts import file_sha256
from gemel.core.errors import ArtifactError, DataError
from gemel.core.image_files import ImageFolder
from gemel.core.images import read_image
from gemel.features import loading, parts
from gemel.features.encoder import VisionEncoder
from gemel.features.loading import Wanted
from gemel.features.parts import filled_up, read_part, read_parts, write_parts


@pytest.fixture(autouse=True)
def parts_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_IMAGES", 2)


@pytest.fixture
def write(files: ImageFolder, encoder: VisionEncoder, tmp_path: Path):
    """write_parts into tmp_path/parts, two images at once, in this process."""
    return partial(write_parts, files=files, encoder=encoder, folder=tmp_path / "parts", batch_size=2, workers=0)


def test_each_row_is_the_vector_of_its_image(
    write, images: list[Wanted], files: ImageFolder, encoder: VisionEncoder
) -> None:
    names = {image.sha256: image.name for image in images}
    found = [read_part(path) for path in write(images)]
    assert [len(part.sha256) for part in found] == [2, 2, 1]
    for part in found:
        pictures = [read_image(files.folder / names[sha256]) for sha256 in part.sha256]
        np.testing.assert_array_equal(part.vectors(), encoder.encode(pictures))


def test_part_is_named_by_its_bytes(write, images: list[Wanted]) -> None:
    for path in write(images):
        assert path.name == f"{file_sha256(path)}.npy"


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_bytes_do_not_depend_on_the_batch(write, images: list[Wanted], batch_size: int, tmp_path: Path) -> None:
    whole = {sha256: bytes(row) for path in write(images) for sha256, row in rows(path)}
    other = write(images, folder=tmp_path / "other", batch_size=batch_size)
    assert {sha256: bytes(row) for path in other for sha256, row in rows(path)} == whole


def rows(path: Path):
    part = read_part(path)
    return zip(part.sha256, part.vectors(), strict=True)


def test_bytes_do_not_depend_on_workers(
    write, images: list[Wanted], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = [path.name for path in write(images)]
    monkeypatch.setattr(loading, "FEW_IMAGES", 1)
    assert [path.name for path in write(images, folder=tmp_path / "other", workers=2)] == here


def test_large_batch_makes_a_large_part(write, images: list[Wanted]) -> None:
    (part,) = write(images, batch_size=8)
    assert len(read_part(part).sha256) == len(images)


def test_encoded_images_are_told_of_as_they_come(write, images: list[Wanted]) -> None:
    told: list[int] = []
    list(write(images, batch_size=1, advance=told.append))
    assert told == [1] * len(images)


def test_finished_parts_stay_when_a_later_image_fails(
    write, images: list[Wanted], files: ImageFolder, tmp_path: Path
) -> None:
    (files.folder / images[4].name).unlink()
    with pytest.raises(DataError):
        list(write(images))
    assert sum(len(part.sha256) for part in read_parts(tmp_path / "parts")) == 4


def test_batch_is_filled_up_to_a_fixed_shape() -> None:
    pixels = torch.rand(3, 3, 4, 4)
    whole = filled_up(pixels, 8)
    assert whole.shape == (8, 3, 4, 4)
    assert torch.equal(whole[:3], pixels)
    assert not whole[3:].any()


def test_only_an_accelerator_gets_filled_batches(
    write, images: list[Wanted], encoder: VisionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower = MeanColour()
    list(write(images, encoder=dataclasses.replace(encoder, tower=tower)))
    monkeypatch.setattr(VisionEncoder, "device", torch.device("mps"))
    list(write(images, encoder=dataclasses.replace(encoder, tower=tower)))
    assert tower.seen == [2, 2, 1, 2, 2, 2]


def test_damaged_part_is_refused(write, images: list[Wanted]) -> None:
    path = next(iter(write(images)))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{path.name}: damaged .*; delete it, its images are encoded again"):
        read_parts(path.parent)


def test_unfinished_part_is_removed(write, images: list[Wanted], tmp_path: Path) -> None:
    finished = list(write(images))
    draft = tmp_path / "parts" / f"{parts._DRAFT}1"
    draft.write_bytes(b"half")
    assert sorted(part.path for part in read_parts(tmp_path / "parts")) == sorted(finished)
    assert not draft.exists()


def test_missing_folder_has_no_parts(tmp_path: Path) -> None:
    assert read_parts(tmp_path / "parts") == []
