"""Images are decoded in worker processes; an image that isn't what it was says so by its name."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mean_colour import DEADLY, to_pixels, to_pixels_or_die
from PIL import Image

from gemel.core.artifacts import file_sha256
from gemel.core.errors import DataError
from gemel.core.image_files import ImageFolder
from gemel.features import loading
from gemel.features.loading import Wanted, pixel_batches

WORKERS = [0, 2]


@pytest.fixture(autouse=True)
def no_number_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "FEW_IMAGES", 1)


def load(
    images: list[Wanted], files: ImageFolder, workers: int, preprocess: Callable[..., torch.Tensor] = to_pixels
) -> list[torch.Tensor]:
    return list(pixel_batches(images, files, preprocess, batch_size=2, workers=workers, pin=False))


@pytest.mark.parametrize("workers", WORKERS)
def test_batches_come_in_the_order_of_the_images(images: list[Wanted], files: ImageFolder, workers: int) -> None:
    batches = load(images, files, workers)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    wanted = torch.stack([to_pixels(Image.open(files.folder / image.name)) for image in images])
    assert torch.equal(torch.cat(batches), wanted)


@pytest.mark.parametrize("workers", WORKERS)
def test_other_bytes_are_refused_by_name(images: list[Wanted], files: ImageFolder, workers: int) -> None:
    path = files.folder / images[3].name
    Image.new("RGB", (16, 16), "red").save(path)
    words = f"{path}: SHA-256 {file_sha256(path)} instead of {images[3].sha256}; it has changed since stage `posts`"
    with pytest.raises(DataError, match=f"^{re.escape(words)} read it: run `dvc repro posts`$"):
        load(images, files, workers)


@pytest.mark.parametrize("workers", WORKERS)
def test_missing_image_is_refused_by_name(images: list[Wanted], files: ImageFolder, workers: int) -> None:
    (files.folder / images[0].name).unlink()
    with pytest.raises(DataError, match=rf"^{re.escape(str(files.folder))}/{images[0].name}: no such file; it has ch"):
        load(images, files, workers)


def test_image_that_became_undecodable_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    broken = Wanted(file_sha256(tmp_path / "broken.png"), "broken.png")
    with pytest.raises(DataError, match=r"broken.png: not an image of .*; it has changed .*run `dvc repro posts`"):
        load([broken], ImageFolder(tmp_path), workers=0)


def test_worker_that_dies_names_the_image(images: list[Wanted], files: ImageFolder) -> None:
    Image.new("RGB", (16, 16), DEADLY).save(files.folder / "deadly.png")
    images.insert(1, Wanted(file_sha256(files.folder / "deadly.png"), "deadly.png"))
    words = r"a process that decodes images died .*at hand were deadly.png: .*runtime.workers to 0 .*`dvc repro posts`"
    with pytest.raises(DataError, match=words):
        load(images, files, 1, to_pixels_or_die)


def test_few_images_start_no_process(images: list[Wanted], files: ImageFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "FEW_IMAGES", len(images) + 1)
    monkeypatch.setattr(loading, "get_context", None)
    assert len(load(images, files, 2)) == 3


def test_no_image_gives_no_batch(files: ImageFolder) -> None:
    assert load([], files, 2) == []
