"""The feature store: image vectors keyed by the SHA-256 of the image's bytes, in shards of bounded size.

index.parquet   sha256, shard, row
shard-00000.npy (up to SHARD_ROWS, width), float32, memory-mapped on reading
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl

from gemel.core.errors import ArtifactError
from gemel.core.image_files import ImageFiles
from gemel.core.images import decode_image
from gemel.core.settings import MissingImage
from gemel.features.encoder import Vectors, VisionEncoder

SHARD_ROWS = 1_024
INDEX = "index.parquet"


class FeatureStore(Mapping[str, Vectors]):
    """Vectors of images that were encoded before: image SHA-256 -> (width,), float32."""

    def __init__(self, folder: Path) -> None:
        """Open a store that write_features wrote.

        Raises: ArtifactError if the index can't be read.
        """
        self._folder = folder
        try:
            index = pl.read_parquet(folder / INDEX)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ArtifactError(f"{folder / INDEX}: unreadable ({error}); run `dvc repro image_features`") from error
        self._places: dict[str, tuple[int, int]] = {sha256: (shard, row) for sha256, shard, row in index.iter_rows()}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._places

    def __getitem__(self, sha256: str) -> Vectors:
        shard, row = self._places[sha256]
        return np.asarray(self._shards[shard][row])

    def vector_or_fallback(self, missing: MissingImage) -> Callable[[str | None], Vectors | None]:
        """Look-up that also answers for a missing image (None): with None, or with a vector of zeros."""
        zeros = np.zeros_like(self._shards[0][0]) if missing == "zero_vector" else None
        return lambda sha256: zeros if sha256 is None else self[sha256]

    @cached_property
    def _shards(self) -> list[Vectors]:
        count = 1 + max((shard for shard, _ in self._places.values()), default=-1)
        return [np.load(_shard_path(self._folder, shard), mmap_mode="r") for shard in range(count)]


def write_features(
    folder: Path,
    images: Mapping[str, str],
    files: ImageFiles,
    encoder: VisionEncoder,
    progress: Path,
    batch_size: int,
    known: Mapping[str, Vectors] = MappingProxyType({}),
) -> None:
    """Encode images and write a store.

    images: SHA-256 -> name of one of the files. known: SHA-256 -> vector of what needs no encoding. progress: a folder
    outside the artifact, where finished shards wait; a run that was killed goes on from them. It is removed at the end.
    """
    order = sorted(images)
    progress.mkdir(parents=True, exist_ok=True)
    shards = [order[start : start + SHARD_ROWS] for start in range(0, len(order), SHARD_ROWS)]
    for number, shard in enumerate(shards):
        finished = progress / f"{_shard_key(shard, encoder)}.npy"
        if not finished.exists():
            _write_whole(finished, _vectors_of(shard, images, files, encoder, batch_size, known))
        shutil.copyfile(finished, _shard_path(folder, number))
    rows = [(sha256, number, row) for number, shard in enumerate(shards) for row, sha256 in enumerate(shard)]
    schema = {"sha256": pl.String, "shard": pl.Int32, "row": pl.Int32}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / INDEX)
    shutil.rmtree(progress)


def _vectors_of(
    shard: Sequence[str],
    images: Mapping[str, str],
    files: ImageFiles,
    encoder: VisionEncoder,
    batch_size: int,
    known: Mapping[str, Vectors],
) -> Vectors:
    unknown = [sha256 for sha256 in shard if sha256 not in known]
    encoded = _encode_files([images[sha256] for sha256 in unknown], files, encoder, batch_size)
    made = dict(zip(unknown, encoded, strict=True))
    return np.stack([made[sha256] if sha256 in made else known[sha256] for sha256 in shard])


def _encode_files(names: Sequence[str], files: ImageFiles, encoder: VisionEncoder, batch_size: int) -> Vectors:
    parts: Iterable[Sequence[str]] = (names[start : start + batch_size] for start in range(0, len(names), batch_size))
    encoded = (encoder.encode([decode_image(files.read(name), files.where(name)) for name in part]) for part in parts)
    return np.concatenate([encoder.encode([]), *encoded])


def _shard_key(shard: Sequence[str], encoder: VisionEncoder) -> str:
    return hashlib.sha256("\n".join([encoder.name, *shard]).encode()).hexdigest()[:32]


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.npy"


def _write_whole(path: Path, vectors: Vectors) -> None:
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        np.save(file, vectors)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
