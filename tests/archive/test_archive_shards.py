"""A shard is there whole or not at all, and once; what is damaged or of another plan is found and removed."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from archive.archived import link

from gemel.archive import shards as shards_module
from gemel.archive.shards import LINKS, finished_shards, shard_folder, write_shard
from gemel.core.artifacts import MANIFEST


def written(shards: Path, number: int = 0, row: int = 5, plan: str = "plan") -> bool:
    return write_shard(shards, number, [link(row)], {"plan": plan, "shard": number})


def rows(shards: Path) -> list[int]:
    return pl.read_parquet(shard_folder(shards, 0) / LINKS)["row"].to_list()


def test_finished_shards_are_found(tmp_path: Path) -> None:
    assert written(tmp_path, 0)
    assert written(tmp_path, 3)
    assert sorted(finished_shards(tmp_path, "plan")) == [0, 3]


def test_of_two_workers_at_one_shard_the_first_stays(tmp_path: Path) -> None:
    assert written(tmp_path, row=5)
    assert not written(tmp_path, row=6)
    assert rows(tmp_path) == [5]
    assert [path.name for path in tmp_path.iterdir()] == ["00000000"]


def test_of_many_workers_at_once_one_makes_the_shard(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as workers:
        made = list(workers.map(lambda row: written(tmp_path, row=row), range(8)))
    assert made.count(True) == 1
    assert rows(tmp_path) == [made.index(True)]
    assert sorted(finished_shards(tmp_path, "plan")) == [0]


@pytest.mark.parametrize("name", [LINKS, MANIFEST])
def test_any_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    path = shard_folder(tmp_path, 0) / name
    written(tmp_path)
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        found = finished_shards(tmp_path, "plan")
        # What a manifest says beside plan, shard and hashes decides nothing.
        assert not found or (name == MANIFEST and rows(tmp_path) == [5])
        written(tmp_path)
        path.write_bytes(whole)


@pytest.mark.parametrize("left", [LINKS, MANIFEST])
def test_shard_without_one_of_its_files_is_removed(tmp_path: Path, left: str) -> None:
    written(tmp_path)
    (shard_folder(tmp_path, 0) / left).unlink()
    assert not finished_shards(tmp_path, "plan")
    assert not list(tmp_path.iterdir())


def test_shard_of_another_plan_is_removed(tmp_path: Path) -> None:
    written(tmp_path, plan="another")
    assert not finished_shards(tmp_path, "plan")


def test_shard_under_another_number_is_removed(tmp_path: Path) -> None:
    written(tmp_path)
    shard_folder(tmp_path, 0).rename(shard_folder(tmp_path, 1))
    assert not finished_shards(tmp_path, "plan")


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".00000000.abc").mkdir()
    (tmp_path / "00000001").touch()
    assert not finished_shards(tmp_path, "plan")
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards_module, "file_sha256", full)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path)
    assert not list(tmp_path.iterdir())
