"""Image vectors without those of some pictures: the feature store, its finished parts, and what a data set brings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.core.artifacts import file_sha256
from gemel.core.drafts import whole_file
from gemel.forgetting.trace import Trace

BROUGHT, BROUGHT_INDEX, FACTS, FACT = "image_vectors.npy", "image_vectors.parquet", "dataset.json", "image_vectors"
INDEX = "index.parquet"


def part_rows_held(path: Path, trace: Trace) -> int:
    """How many rows of a part of the encoder's work are those of the pictures; 0 of any other array."""
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    return int(_of_pictures(rows, trace).sum()) if _is_part(rows) else 0


def rewrite_part(path: Path, trace: Trace) -> None:
    """Write a part anew; its name follows from its bytes. One that held nothing else goes."""
    rows = np.load(path, allow_pickle=False)
    left = rows[~_of_pictures(rows, trace)]
    if len(left):
        draft = path.with_name(f"draft-{path.name}")
        with draft.open("wb") as file:
            np.save(file, left)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path.with_name(f"{file_sha256(draft)}.npy"))
    path.unlink()


def rewrite_store(folder: Path, draft: Path, trace: Trace) -> int:
    """Write a feature store into a draft as the stage would without the pictures. Returns: how many vectors it has."""
    from gemel.features.store import write_features

    kept = [sha256 for sha256 in pl.read_parquet(folder / INDEX)["sha256"].to_list() if sha256 not in trace.pictures]
    write_features(draft, dict.fromkeys(kept, ""), _nothing_to_encode, draft / "parts", former=folder)
    return len(kept)


def rewrite_brought(folder: Path, trace: Trace) -> None:
    """Write the vectors that a data set brings anew, without the pictures', and their number in dataset.json.

    The index goes last: while it names the picture, an interrupted command begins here again.
    """
    index = pl.read_parquet(folder / BROUGHT_INDEX)
    left = index.filter(~pl.col("sha256").is_in(list(trace.pictures)).fill_null(False))
    rows = left["row"].drop_nulls()
    vectors = np.load(folder / BROUGHT, allow_pickle=False)
    if len(vectors) != len(rows):
        with whole_file(folder / BROUGHT) as draft, draft.open("wb") as file:
            np.save(file, vectors[rows.to_numpy()])
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8-sig"))
    facts[FACT]["found"] = len(rows)
    with whole_file(folder / FACTS) as draft:
        draft.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    numbered = pl.when(pl.col("row").is_not_null()).then(pl.col("row").is_not_null().cum_sum() - 1)
    with whole_file(folder / BROUGHT_INDEX) as draft:
        left.with_columns(row=numbered.cast(pl.Int64)).write_parquet(draft, compression="zstd")


def _is_part(rows: npt.NDArray[np.void]) -> bool:
    return rows.dtype.names is not None and "sha256" in rows.dtype.names


def _of_pictures(rows: npt.NDArray[np.void], trace: Trace) -> npt.NDArray[np.bool_]:
    return np.isin(rows["sha256"], np.array(sorted(trace.pictures), dtype="S64"))


def _nothing_to_encode(missing: object) -> Iterable[Path]:
    raise AssertionError(f"vectors that the store has are asked of the encoder: {missing}")
