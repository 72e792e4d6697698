"""Parts: the unit of work, and of resuming. A part is some images' vectors in one file, written whole or not at all.

Its name is the SHA-256 of its bytes, and it says itself whose vectors it holds: parts of one folder, one encoder's, can
be made by any process of any machine that sees the folder, in any order, twice or in vain.

What a vector's bytes depend on: on a CPU, on the image and the encoder alone, wherever that was measured (open_clip
ViT-B/32 and tiny-clip, timm ResNet-18 and -101: alone, in batches of 2 to 64, at other places, with other neighbours).
On an accelerator libraries choose their kernels by the shape of a batch; so short batches are filled up there, and the
shape doesn't tell which images were new in a run (not measured). Another machine, number of threads, device, library
version or, on an accelerator, another batch size may change the last digits; that makes no other vector.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gemel.core.artifacts import file_sha256
from gemel.core.errors import ArtifactError
from gemel.core.image_files import ImageFiles
from gemel.features.loading import Wanted, pixel_batches
from gemel.features.tower import Vectors

if TYPE_CHECKING:
    # Who only reads vectors must not wait for the encoders' libraries.
    from gemel.features.encoder import VisionEncoder

PART_IMAGES = 256
_DRAFT = "draft-"


class KnownVectors(NamedTuple):
    """Vectors that need not be made again: a file of them, and the SHA-256 of the image of each row."""

    path: Path
    sha256: list[str]

    def vectors(self) -> Vectors:
        """All rows, (images, width), memory-mapped."""
        rows = np.load(self.path, mmap_mode="r")
        vectors: Vectors = rows["vector"] if rows.dtype.names else rows
        return vectors


def write_parts(
    images: Sequence[Wanted],
    files: ImageFiles,
    encoder: VisionEncoder,
    folder: Path,
    *,
    batch_size: int,
    workers: int,
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[Path]:
    """Encode images and write them as parts of about PART_IMAGES.

    batch_size: images per forward pass. workers: processes to decode in. advance: told of images that are encoded.
    Yields: each part's path, once it is finished; what is finished stays, whatever comes after.
    Raises: DataError, naming the image, if one can't be read or isn't what the posts table says.
    """
    on_cpu = encoder.device.type == "cpu"
    per_part = max(1, PART_IMAGES // batch_size) * batch_size
    batches = pixel_batches(
        images, files, encoder.preprocess, batch_size=batch_size, workers=workers, pin=encoder.device.type == "cuda"
    )
    for start in range(0, len(images), per_part):
        some = images[start : start + per_part]
        part = np.zeros(len(some), dtype=[("sha256", "S64"), ("vector", np.float32, (encoder.width,))])
        part["sha256"] = [wanted.sha256 for wanted in some]
        for row in range(0, len(some), batch_size):
            pixels = next(batches)
            vectors = encoder.encode_pixels(pixels if on_cpu else filled_up(pixels, batch_size))[: len(pixels)]
            part["vector"][row : row + len(pixels)] = vectors
            advance(len(pixels))
        yield _write_part(folder, part)


def filled_up(pixels: Tensor, size: int) -> Tensor:
    """A batch of a fixed size: black images stand behind a short one's own."""
    return torch.cat([pixels, pixels.new_zeros(size - len(pixels), *pixels.shape[1:])])


def read_part(path: Path) -> KnownVectors:
    """Open a finished part.

    Raises: ArtifactError if it isn't what was written.
    """
    if file_sha256(path) != path.stem:
        raise ArtifactError(f"{path}: damaged (its SHA-256 is not its name); delete it, its images are encoded again")
    return KnownVectors(path, np.load(path, mmap_mode="r")["sha256"].astype(str).tolist())


def read_parts(folder: Path) -> list[KnownVectors]:
    """Open all finished parts, and remove what was never finished. No other process may write there meanwhile.

    Raises: ArtifactError if one is damaged.
    """
    for draft in folder.glob(f"{_DRAFT}*"):
        draft.unlink()
    return [read_part(path) for path in sorted(folder.glob("*.npy"))]


def _write_part(folder: Path, part: npt.NDArray[Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{_DRAFT}{uuid4().hex}"
    with draft.open("wb") as file:
        np.save(file, part)
        file.flush()
        os.fsync(file.fileno())
    return draft.rename(folder / f"{file_sha256(draft)}.npy")
