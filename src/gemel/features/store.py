"""The feature store: image vectors keyed by the SHA-256 of the image's bytes, in shards of bounded size.

index.parquet   sha256 (sorted), shard, row
shard-00000.npy (up to SHARD_ROWS, width), float32, memory-mapped on reading

A vector's address is the image's SHA-256, the encoder, and the version of the preprocessing; the last two are the
encoder's fingerprint. Which images a store holds and how they lie in it follows from these alone, not from how often,
by whom and after how many kills they were encoded; see gemel.features.parts for the vectors' own bytes.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from gemel.core.artifacts import read_manifest
from gemel.core.errors import ArtifactError
from gemel.core.settings import MissingImage
from gemel.features.loading import Wanted
from gemel.features.parts import KnownVectors, read_part, read_parts
from gemel.features.tower import Vectors

SHARD_ROWS = 16_384
INDEX = "index.parquet"
STAGE = "image_features"
FINGERPRINT = "encoder_fingerprint"


class FeatureStore(Mapping[str, Vectors]):
    """Vectors of images that were encoded before: image SHA-256 -> (width,), float32."""

    def __init__(self, folder: Path) -> None:
        """Open a store that write_features wrote.

        Raises: ArtifactError if the index can't be read.
        """
        self._folder = folder
        index = _read_index(folder)
        # 64 bytes an image, and found by halving: a dict of a million would fill a quarter of a gigabyte.
        self._sha256 = np.array(index["sha256"].to_list(), dtype="S64")
        self._shard, self._row = index["shard"].to_numpy(), index["row"].to_numpy()

    def __len__(self) -> int:
        return len(self._sha256)

    def __iter__(self) -> Iterator[str]:
        return (sha256.decode() for sha256 in self._sha256)

    def __contains__(self, sha256: object) -> bool:
        return isinstance(sha256, str) and self._place(sha256) is not None

    def __getitem__(self, sha256: str) -> Vectors:
        place = self._place(sha256)
        if place is None:
            raise KeyError(sha256)
        return np.asarray(self._shards[self._shard[place]][self._row[place]])

    def vector_or_fallback(self, missing: MissingImage) -> Callable[[str | None], Vectors | None]:
        """Look-up that also answers for a missing image (None): with None, or with a vector of zeros."""
        zeros = np.zeros_like(self._shards[0][0]) if missing == "zero_vector" else None
        return lambda sha256: zeros if sha256 is None else self[sha256]

    def _place(self, sha256: str) -> int | None:
        place = bisect_left(self._sha256, sha256.encode())
        return place if place < len(self) and self._sha256[place] == sha256.encode() else None

    @cached_property
    def _shards(self) -> list[Vectors]:
        count = 1 + int(self._shard.max(initial=-1))
        return [np.load(_shard_path(self._folder, shard), mmap_mode="r") for shard in range(count)]


def write_features(
    folder: Path,
    images: Mapping[str, str],
    encode: Callable[[Sequence[Wanted]], Iterable[Path]],
    parts: Path,
    former: Path | None = None,
    brought: Sequence[KnownVectors] = (),
) -> int:
    """Write a store; only images that have no vector yet are encoded.

    images: SHA-256 -> name of an image file. encode: writes parts for images and gives their paths. parts: folder of
    the encoder's finished parts, outside the artifact; they stay. former: a store of the same encoder. brought: vectors
    that came with the data.
    Returns: how many images were encoded.
    Raises: ArtifactError if a part is damaged; what `encode` raises.
    """
    known = [*brought, *(_read_shards(former) if former else ()), *read_parts(parts)]
    vectors = {sha256 for file in known for sha256 in file.sha256}
    order = sorted(images)
    missing = [Wanted(sha256, images[sha256]) for sha256 in order if sha256 not in vectors]
    if missing:
        known += [read_part(path) for path in encode(missing)]
    index = _write_shards(folder, order, known)
    index.write_parquet(folder / INDEX)
    return len(missing)


def former_store(artifact: Path, fingerprint: str) -> Path | None:
    """The artifact that lies there, if it is whole and its vectors are this encoder's; else None.

    A damaged one is warned of.
    """
    if not artifact.exists():
        return None
    try:
        if read_manifest(artifact, STAGE).get(FINGERPRINT) != fingerprint:
            return None
        read_manifest(artifact, STAGE, check_hashes=True)
    except ArtifactError as error:
        warnings.warn(f"{error.args[0].rpartition(';')[0]}; its vectors are not taken over", stacklevel=2)
        return None
    return artifact


def _write_shards(folder: Path, order: Sequence[str], known: Sequence[KnownVectors]) -> pl.DataFrame:
    """Copy vectors into shards, one shard and one source in memory at most. Returns: the index."""
    tables = [
        pl.DataFrame({"sha256": file.sha256}, schema={"sha256": pl.String})
        .with_row_index("row")
        .with_columns(file=pl.lit(number))
        for number, file in enumerate(known)
    ]
    wanted = pl.DataFrame({"sha256": order}, schema={"sha256": pl.String})
    if tables:
        places = pl.concat(tables).unique("sha256", keep="first", maintain_order=True)
        wanted = wanted.join(places, on="sha256", how="left", maintain_order="left", validate="1:1")
    for number, shard in enumerate(wanted.iter_slices(SHARD_ROWS)):
        shape = (shard.height, known[0].vectors().shape[1])
        rows = np.lib.format.open_memmap(_shard_path(folder, number), mode="w+", dtype=np.float32, shape=shape)
        for (file,), some in shard.with_row_index("to").group_by("file"):
            rows[some["to"].to_numpy()] = known[file].vectors()[some["row"].to_numpy()]
        rows.flush()
    place = pl.int_range(len(order), dtype=pl.Int32)
    return wanted.select("sha256", shard=place // SHARD_ROWS, row=place % SHARD_ROWS)


def _read_index(folder: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(folder / INDEX).sort("sha256")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{folder / INDEX}: unreadable ({error}); run `dvc repro image_features`") from error


def _read_shards(folder: Path) -> list[KnownVectors]:
    shards = _read_index(folder).sort("shard", "row").partition_by("shard", maintain_order=True)
    return [KnownVectors(_shard_path(folder, number), shard["sha256"].to_list()) for number, shard in enumerate(shards)]


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.npy"
