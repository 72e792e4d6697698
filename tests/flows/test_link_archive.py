"""The flow links an archive and says so; what goes wrong is a sentence and an exit status."""

import sys
from pathlib import Path

import polars as pl
import pytest

from flows.link_archive import link_archive, main, totals_markdown
from gemel.archive.results import Totals
from gemel.archive.settings import ArchiveSettings

SETTINGS = ArchiveSettings(shard_posts=2, device="cpu")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    posts = [{"post_id": f"p{number}", "text": "The Jaguar", "mentions": ["Jaguar"]} for number in range(3)]
    pl.DataFrame(posts).write_parquet(tmp_path / "posts.parquet")
    return tmp_path / "posts.parquet"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["link_archive", *map(str, arguments)])
    main()


def test_flow_links_every_post_and_has_nothing_to_do_again(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    totals = link_archive(source, tmp_path / "out", tiny_release, settings=SETTINGS)
    assert (totals.posts, totals.rows) == (3, 3)
    assert pl.read_parquet(tmp_path / "out" / "links" / "*.parquet")["post_id"].to_list() == ["p0", "p1", "p2"]
    assert link_archive(source, tmp_path / "out", tiny_release, settings=SETTINGS) == totals


def test_error_is_one_sentence_and_exit_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*plan\.json: no such file, so no archive was linked here"):
        run(monkeypatch, tmp_path / "none", tmp_path / "out", "--verify")


def test_option_that_is_no_number_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path, tmp_path / "out", "--shard-posts", "0")
    assert "expected a number above 0, found '0'" in capsys.readouterr().err


def test_table_has_a_row_for_each_count() -> None:
    lines = totals_markdown(Path("out"), Totals(posts=3, rows=4)).splitlines()
    assert lines[0] == "## out/links"
    assert {"| posts | 3 |", "| rows | 4 |"} <= set(lines)
