"""Vectors in place of images: what a data set has of images that someone else encoded.

image_vectors.npy      (vectors, width), float32, memory-mapped on reading
image_vectors.parquet  image, row, sha256, reason: an image that posts name, and its row or why it has none
dataset.json           image_vectors: the encoder that made them, their width and number, and the file they came from
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from gemel.core.errors import DataError
from gemel.posts.dataset import read_facts
from gemel.posts.vector_file import Vector, VectorFile, Vectors, opened_vectors

VECTORS, INDEX, FACT = "image_vectors.npy", "image_vectors.parquet", "image_vectors"
INDEX_SCHEMA = {"image": pl.String, "row": pl.Int64, "sha256": pl.String, "reason": pl.String}


@dataclass
class _Copied:
    """Rows of the index, and what was met on the way."""

    rows: list[tuple[str, int | None, str | None, str | None]] = field(default_factory=list)
    width: int | None = None
    found: int = 0
    absent: int = 0
    rejected: int = 0


def copy_vectors(source: VectorFile, keys: Mapping[str, Sequence[str]], folder: Path) -> dict[str, Any]:
    """Copy the vectors of a data set's images into its folder; equal sources give equal bytes.

    keys: image, as the posts name it -> what the file may call it, the likeliest first. The first vector's width is
    that of all; one of another width is rejected, as is what is no vector.
    Returns: what dataset.json is to say of them; found + absent + rejected are all images.
    Raises: DataError if the file can't be read, or has no usable vector of any of the images.
    """
    copied = _Copied()
    with opened_vectors(source.path) as vectors, (folder / VECTORS).open("w+b") as file:
        _write_header(file, 0, 0)
        for image, names in keys.items():
            _copy(vectors, image, names, copied, file)
        file.seek(0)
        # numpy leaves room for the number of rows to grow.
        _write_header(file, copied.found, copied.width or 0)
    if not copied.found:
        why = next((f", e.g. {image!r}: {reason}" for image, _, _, reason in copied.rows), "; no post names an image")
        raise DataError(f"{source.path}: it has no usable vector of any of the {len(keys)} images{why}")
    pl.DataFrame(copied.rows, schema=INDEX_SCHEMA, orient="row").write_parquet(folder / INDEX, compression="zstd")
    return {
        "source": source.path.name,
        "encoder": source.encoder,
        "width": copied.width,
        "found": copied.found,
        "absent": copied.absent,
        "rejected": copied.rejected,
    }


class ImageVectors:
    """Vectors that a data set brings.

    of_images: image, as posts name it -> SHA-256 of its vector's bytes. encoder: that made them. width: of each.
    """

    def __init__(self, folder: Path) -> None:
        """Open the vectors of a data set; a data set without any has none.

        Raises: DataError if they are damaged, or not all of the files that belong together are there.
        """
        facts = read_facts(folder).get(FACT)
        self.encoder, self.width = "", 0
        self.of_images: dict[str, str] = {}
        self._path = folder / VECTORS
        self._rows: list[str] = []
        if facts is None:
            return
        try:
            self.encoder, self.width, found = str(facts["encoder"]), int(facts["width"]), int(facts["found"])
            self._expect(self._array.shape == (found, self.width) and self._array.dtype == np.float32)
            index = pl.read_parquet(folder / INDEX).filter(pl.col("row").is_not_null())
            self._expect(index["row"].to_list() == list(range(found)))
            self.of_images = dict(index.select("image", "sha256").iter_rows())
            self._rows = index["sha256"].to_list()
        except (KeyError, TypeError, OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{self._path}: unreadable ({error}); import the data set again") from error

    def __bool__(self) -> bool:
        return bool(self._rows)

    def rows(self) -> list[str]:
        """SHA-256 of each row of VECTORS, compared with its bytes. Raises: DataError if they differ."""
        for sha256, vector in zip(self._rows, self._array, strict=True):
            self._expect(hashlib.sha256(vector.tobytes()).hexdigest() == sha256)
        return self._rows

    @cached_property
    def _array(self) -> Vector:
        vectors: Vector = np.load(self._path, mmap_mode="r", allow_pickle=False)
        return vectors

    def _expect(self, whole: bool) -> None:
        if not whole:
            raise DataError(f"{self._path}: not the vectors that {INDEX} and dataset.json state; import them again")


def _copy(vectors: Vectors, image: str, names: Sequence[str], copied: _Copied, file: IO[bytes]) -> None:
    try:
        vector = next((vector for name in names if (vector := vectors.get(name)) is not None), None)
        if vector is not None and len(vector) != (copied.width or len(vector)):
            raise ValueError(f"{len(vector)} numbers, but the vectors before have {copied.width}")
    except ValueError as error:
        copied.rejected += 1
        copied.rows.append((image, None, None, str(error)))
        return
    if vector is None:
        copied.absent += 1
        copied.rows.append((image, None, None, "not in the file"))
        return
    content = vector.tobytes()
    file.write(content)
    copied.rows.append((image, copied.found, hashlib.sha256(content).hexdigest(), None))
    copied.width = len(vector)
    copied.found += 1


def _write_header(file: IO[bytes], rows: int, width: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(file, header)
