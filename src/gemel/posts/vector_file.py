"""The HDF5 file of image vectors that the GEMEL reference code reads: a data set of numbers for each image.

Its key is what the line calls the image, a file's name or a URL; HDF5 makes groups of a key with slashes. The file
comes from elsewhere: nothing that leads out of it is followed, and what is no such vector is told, not guessed at.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gemel.core.errors import DataError

Vector = npt.NDArray[np.float32]
MOST_NUMBERS = 2**16  # in a vector, and in a part of the file that is unpacked at once


@dataclass(frozen=True)
class VectorFile:
    """A file of vectors, and the vision encoder that made them: `ViT-L-14/openai`, as backbone.vision names it."""

    path: Path
    encoder: str


class Vectors:
    """An opened file of vectors."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def get(self, key: str) -> Vector | None:
        """The vector of one key: (width,), float32, little-endian; None if the file has no such key.

        Raises: ValueError, saying what is there instead, if it is no vector, leads out of the file or is damaged.
        """
        try:
            found = self._walk(key)
            return None if found is None else _vector(found)
        except (OSError, RuntimeError, TypeError, KeyError) as error:
            raise ValueError(f"damaged ({error})") from error

    def _walk(self, key: str) -> Any:
        """What stands under a key, whose parts between slashes are groups; only links inside the file are followed."""
        from h5py import Group, h5l

        place = self._file
        for part in (part for part in key.split("/") if part not in ("", ".")):
            # h5py's own look-up would follow a link to another file to see whether there is something.
            if not isinstance(place, Group) or "\0" in part or not place.id.links.exists(part.encode()):
                return None
            if place.id.links.get_info(part.encode()).type != h5l.TYPE_HARD:
                raise ValueError(f"a link at {part!r} instead of a vector")
            place = place[part]
        return place


@contextlib.contextmanager
def opened_vectors(path: Path) -> Iterator[Vectors]:
    """Open a file of vectors.

    Raises: DataError if h5py isn't installed, or the file is missing, truncated or no HDF5.
    """
    try:
        import h5py
    except ImportError:
        raise DataError(f"{path}: reading HDF5 needs h5py; run `pip install 'gemel[hdf5]'`") from None
    if not path.is_file():
        raise DataError(f"{path}: no such file; give the HDF5 file of image vectors")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: can't be read as HDF5 ({error}); is it complete?") from error
    with file:
        yield Vectors(file)


def _vector(found: Any) -> Vector:
    from h5py import Dataset

    if not isinstance(found, Dataset):
        raise ValueError(f"a {type(found).__name__.lower()} instead of a vector")
    if found.is_virtual or found.external:
        raise ValueError("its numbers lie in another file")
    if found.dtype.kind != "f":
        raise ValueError(f"{found.dtype} instead of floating-point numbers")
    shape = found.shape
    if not shape or found.size != shape[-1] or not 0 < shape[-1] <= MOST_NUMBERS:
        raise ValueError(f"shape {shape} instead of one vector of at most {MOST_NUMBERS} numbers")
    if math.prod(found.chunks or ()) > MOST_NUMBERS:
        raise ValueError(f"packed in parts of {found.chunks}, more than {MOST_NUMBERS} numbers at once")
    with np.errstate(over="ignore"):  # beyond float32 they become infinite, and are refused as such
        vector: Vector = np.asarray(found[()], dtype="<f4").reshape(-1)
    if not np.isfinite(vector).all():
        raise ValueError("not all of its numbers are finite")
    return vector
