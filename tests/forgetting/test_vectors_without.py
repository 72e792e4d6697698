"""Vectors of a picture go, with their rows and names."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gemel.core.artifacts import file_sha256
from gemel.forgetting.trace import Trace
from gemel.forgetting.vectors import part_rows_held, rewrite_brought, rewrite_part

SHA256 = ["a" * 64, "b" * 64, "c" * 64]
PICTURE = Trace(frozenset({"p1"}), frozenset(), frozenset({SHA256[1]}))


def write_part(folder: Path, sha256: list[str]) -> Path:
    part = np.zeros(len(sha256), dtype=[("sha256", "S64"), ("vector", np.float32, (2,))])
    part["sha256"], part["vector"][:, 0] = sha256, range(len(sha256))
    np.save(folder / "draft.npy", part)
    return (folder / "draft.npy").rename(folder / f"{file_sha256(folder / 'draft.npy')}.npy")


def test_part_without_the_picture_is_named_by_its_bytes(tmp_path: Path) -> None:
    path = write_part(tmp_path, SHA256)
    rewrite_part(path, PICTURE)
    (left,) = tmp_path.iterdir()
    assert left.stem == file_sha256(left)
    assert np.load(left)["vector"][:, 0].tolist() == [0, 2]
    assert part_rows_held(left, PICTURE) == 0


def test_part_of_nothing_else_goes(tmp_path: Path) -> None:
    rewrite_part(write_part(tmp_path, SHA256[1:2]), PICTURE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cut_off", [False, True])
def test_vectors_that_a_data_set_brings_stay_in_step(tmp_path: Path, cut_off: bool) -> None:
    np.save(
        tmp_path / "image_vectors.npy", np.arange(6, dtype=np.float32).reshape(3, 2)[[0, 2] if cut_off else [0, 1, 2]]
    )
    index = {"image": ["a", "b", "x", "c"], "row": [0, 1, None, 2], "sha256": [*SHA256[:2], None, SHA256[2]]}
    schema = {"image": pl.String, "row": pl.Int64, "sha256": pl.String, "reason": pl.String}
    pl.DataFrame(index | {"reason": [None] * 4}, schema=schema).write_parquet(tmp_path / "image_vectors.parquet")
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "x", "image_vectors": {"found": 3, "width": 2}}))
    rewrite_brought(tmp_path, PICTURE)
    left = pl.read_parquet(tmp_path / "image_vectors.parquet")
    assert left.select("image", "row").rows() == [("a", 0), ("x", None), ("c", 1)]
    assert np.load(tmp_path / "image_vectors.npy").tolist() == [[0, 1], [4, 5]]
    assert json.loads((tmp_path / "dataset.json").read_text())["image_vectors"]["found"] == 2
