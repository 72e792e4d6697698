"""Pictures, and an encoder whose vector is their mean colour."""

from pathlib import Path

import numpy as np
import pytest
from mean_colour import MeanColour, to_pixels
from tiny_world import write_picture

from gemel.core.artifacts import file_sha256
from gemel.core.image_files import ImageFolder
from gemel.features.encoder import VisionEncoder
from gemel.features.loading import Wanted


@pytest.fixture
def encoder() -> VisionEncoder:
    return VisionEncoder("mean-colour", 3, MeanColour(), to_pixels)


@pytest.fixture
def files(tmp_path: Path) -> ImageFolder:
    """A folder of five pictures."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(5):
        write_picture(folder / f"{number}.png", (40 * number, 90, 90), rng)
    return ImageFolder(folder)


@pytest.fixture
def images(files: ImageFolder) -> list[Wanted]:
    """The pictures, in the order of their hashes."""
    return sorted(Wanted(file_sha256(path), path.name) for path in files.folder.iterdir())
