"""The result has the links of every post once, in the archive's order, or it is not made."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from archive.archived import link, opened, planned, post, write_archive, write_posts, write_shards

from gemel.archive.plan import Plan
from gemel.archive.results import Totals, finished_result, verify_result, write_result
from gemel.archive.shards import write_shard
from gemel.core.errors import ArtifactError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "in", (1, 2))


def made(tmp_path: Path, source: Path, rows: Sequence[Sequence[int]], **settings: str) -> tuple[Plan, Totals]:
    plan = planned(tmp_path / "out", source, **settings)
    write_shards(tmp_path / "shards", plan, rows)
    return plan, write_result(tmp_path / "links", plan, opened(source), tmp_path / "shards")


def rows_of(folder: Path) -> list[int]:
    return pl.read_parquet(folder / "*.parquet")["row"].to_list()


def test_links_stand_in_the_order_of_the_posts(tmp_path: Path, source: Path) -> None:
    _, totals = made(tmp_path, source, [[0, 1], [2]])
    assert rows_of(tmp_path / "links") == [0, 1, 2]
    assert (totals.posts, totals.rows) == (3, 3)


def test_grouped_links_are_brought_back_into_that_order(tmp_path: Path, source: Path) -> None:
    made(tmp_path, source, [[2, 0], [1]], group="mention")
    assert rows_of(tmp_path / "links") == [0, 1, 2]
    assert {path.suffix for path in (tmp_path / "links").iterdir()} == {".parquet", ".json"}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[0, 1], []], r"1 posts without links, .* such as rows 2"),
        ([[0, 1, 1], [2]], r"1 posts without links, .* such as rows 1"),
        ([[0, 1, 2], [2]], r"1 posts without links, .* such as rows 2"),
    ],
)
@pytest.mark.parametrize("group", ["none", "mention"])
def test_post_without_links_or_with_too_many_is_named_and_nothing_made(
    tmp_path: Path, source: Path, rows: list[list[int]], words: str, group: str
) -> None:
    with pytest.raises(ArtifactError, match=words):
        made(tmp_path, source, rows, group=group)
    assert not (tmp_path / "links").exists()


def test_post_has_a_row_for_each_mention_or_one_that_says_why_not(tmp_path: Path) -> None:
    source = write_posts(tmp_path / "in" / "0.parquet", [post(0, "A", "B"), post(1, "A", "B")]).parent
    plan = planned(tmp_path / "out", source)
    rows = [link(0), link(0), link(1, error="too long")]
    write_shard(tmp_path / "shards", 0, rows, {"plan": plan.digest, "shard": 0})
    totals = write_result(tmp_path / "links", plan, opened(source), tmp_path / "shards")
    assert (totals.rows, totals.refused) == (3, 1)


def test_finished_result_is_known_by_its_plan_and_hashes(tmp_path: Path, source: Path) -> None:
    plan, totals = made(tmp_path, source, [[0, 1], [2]])
    assert finished_result(tmp_path / "links", plan) == totals
    assert finished_result(tmp_path / "links", planned(tmp_path / "other", source, top=1)) is None
    part = tmp_path / "links" / "00000001.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert finished_result(tmp_path / "links", plan) is None


def test_verifying_finds_a_file_too_many(tmp_path: Path, source: Path) -> None:
    plan, _ = made(tmp_path, source, [[0, 1], [2]])
    (tmp_path / "links" / "x.parquet").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"links: 3 files of links instead of 2; delete the folder"):
        verify_result(tmp_path / "links", plan, opened(source))


def test_verifying_finds_a_part_that_was_removed(tmp_path: Path, source: Path) -> None:
    plan, totals = made(tmp_path, source, [[0, 1], [2]])
    assert verify_result(tmp_path / "links", plan, opened(source)) == totals
    (tmp_path / "links" / "00000001.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"00000001.parquet: missing, though its manifest lists it; delete the fol"):
        verify_result(tmp_path / "links", plan, opened(source))
