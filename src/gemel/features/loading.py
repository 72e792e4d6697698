"""Images -> batches of pixels, read, checked, decoded and preprocessed in worker processes while the encoder runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from gemel.core.errors import DataError, GemelError, ImageError
from gemel.core.image_files import ImageFiles
from gemel.core.images import decode_image
from gemel.features.tower import Preprocess

# Workers take seconds to start, and fewer images than this take no longer.
FEW_IMAGES = 1_024
_NOTHING = -1


class Wanted(NamedTuple):
    """An image to be encoded. sha256: of its bytes, when the posts were checked. name: among the image files."""

    sha256: str
    name: str


class Batch(NamedTuple):
    """first: number of its first image among all."""

    first: int
    images: Sequence[Wanted]


class Decoded(NamedTuple):
    """pixels: (images, 3, height, width). problem: why there are none, or "" (an exception would arrive garbled)."""

    pixels: Tensor
    problem: str


class Decoder(Dataset[Decoded]):
    """Decodes whole batches. Its index is the batch itself, so that workers don't hold the list of all images."""

    def __init__(self, files: ImageFiles, preprocess: Preprocess, at_hand: Tensor) -> None:
        """at_hand: (workers,), shared; each worker notes there the number of the image it is busy with."""
        self._files, self._preprocess, self._at_hand = files, preprocess, at_hand

    def __getitem__(self, batch: Batch) -> Decoded:
        pixels = []
        for number, wanted in enumerate(batch.images, batch.first):
            self._note(number)
            try:
                pixels.append(self._preprocess(self._decode(wanted)))
            except GemelError as error:
                return Decoded(torch.empty(0), str(error))
        self._note(_NOTHING)
        return Decoded(torch.stack(pixels), "")

    def _decode(self, wanted: Wanted) -> Image.Image:
        where = self._files.where(wanted.name)
        try:
            content = self._files.read(wanted.name)
            if (found := hashlib.sha256(content).hexdigest()) != wanted.sha256:
                raise ImageError(f"{where}: SHA-256 {found} instead of {wanted.sha256}")
            return decode_image(content, where)
        except ImageError as error:
            raise ImageError(f"{error}; it has changed since stage `posts` read it: run `dvc repro posts`") from None

    def _note(self, number: int) -> None:
        if worker := get_worker_info():
            self._at_hand[worker.id] = number


def pixel_batches(
    images: Sequence[Wanted], files: ImageFiles, preprocess: Preprocess, *, batch_size: int, workers: int, pin: bool
) -> Iterator[Tensor]:
    """Decode images in batches, in order.

    workers: processes to do it in; 0, or few images: in this one. pin: into page-locked memory, for a CUDA device.
    Yields: pixels, (up to batch_size, 3, height, width).
    Raises: DataError, naming the image, if one can't be read, isn't the one of the posts table, or ends its worker.
    """
    workers = 0 if len(images) < FEW_IMAGES else workers
    at_hand = torch.full((workers,), _NOTHING).share_memory_()  # type: ignore[no-untyped-call]
    loader = DataLoader(
        Decoder(files, preprocess, at_hand),
        batch_size=None,
        sampler=[Batch(start, images[start : start + batch_size]) for start in range(0, len(images), batch_size)],
        num_workers=workers,
        pin_memory=pin,
        # Forked from this process, a worker would inherit locks of threads that it lacks: of polars, OpenMP and CUDA.
        multiprocessing_context=_server() if workers else None,
    )
    decoded = iter(loader)
    while True:
        try:
            pixels, problem = next(decoded)
        except StopIteration:
            return
        except RuntimeError as error:
            raise _worker_error(error, [images[number].name for number in at_hand if number != _NOTHING]) from error
        if problem:
            raise DataError(problem)
        yield pixels


def _server() -> object:
    """A process that imports the libraries once and forks the workers."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["gemel.features.open_clip_tower", "gemel.features.timm_tower"])
    return context


def _worker_error(error: RuntimeError, at_hand: Sequence[str]) -> Exception:
    if "exited unexpectedly" not in str(error):
        return error
    return DataError(
        f"a process that decodes images died ({error}); at hand were {', '.join(at_hand) or 'no images'}: set "
        "runtime.workers to 0 to meet the error itself, or give the machine more memory; if an image has changed, run "
        "`dvc repro posts`"
    )
