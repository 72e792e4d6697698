"""The checks of the tables, with real runs of Great Expectations."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from tiny_dataset import WriteDataset

from gemel.core.errors import DataError
from gemel.entities.catalog import unique_names
from gemel.posts import expectations
from gemel.posts.checks import all_checks
from gemel.posts.dataset import read_dataset
from gemel.posts.expectations import CheckResult, ValidationReport, validate_tables
from gemel.posts.tables import Tables, build_tables

SHARES = {"min_image_share": 0.9, "min_in_kb_share": 0.9}


@pytest.fixture
def tables(write_dataset: WriteDataset) -> Tables:
    dataset = read_dataset(write_dataset())
    return build_tables(dataset, unique_names(dataset.entities).entities)


def validate(tables: Tables, folder: Path) -> ValidationReport:
    folder.mkdir(exist_ok=True)
    return validate_tables(tables, folder, **SHARES)


def test_good_tables_pass_every_check(tables: Tables, tmp_path: Path) -> None:
    report = validate(tables, tmp_path / "out")
    assert [result.name for result in report.results if not result.success] == []
    assert [result.name for result in report.results] == [check.name for check in all_checks(**SHARES)]
    assert report.complaint() == ""


def test_result_and_data_docs_never_change_by_themselves(tables: Tables, tmp_path: Path) -> None:
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        validate(tables, folder)
        contents.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")})
    assert contents[0] == contents[1]
    assert {str(path) for path in contents[0]} >= {"validation.json", "data_docs/index.html", "data_docs/posts.html"}


def broken_tables(tables: Tables) -> Tables:
    """Tables that break every check but the ones of rows being present."""
    posts = pl.concat([tables.posts, tables.posts[:1]]).with_columns(
        text=pl.lit(" "), split=pl.lit("valid"), image_status=pl.lit("lost")
    )
    posts = pl.concat([posts, posts[:1].with_columns(post_id=pl.lit(None, pl.String))])
    twin = tables.mentions[:1].with_columns(
        start=pl.lit(0, pl.Int64), end=pl.lit(6, pl.Int64), split=pl.lit("valid"), post_id=pl.lit("p9"), in_kb=False
    )
    blank = tables.mentions[2:].with_columns(mention_id=pl.lit(None, pl.String), mention=pl.lit(""))
    entity = tables.entities[:1].with_columns(name=pl.lit(None, pl.String))
    blanks = pl.concat([entity.with_columns(name=pl.lit(""), entity_id=pl.lit(None, pl.String))] * 2)
    return replace(
        tables,
        posts=posts,
        mentions=pl.concat([tables.mentions, twin, blank]),
        entities=pl.concat([tables.entities, entity, blanks]),
    )


def test_each_check_can_fail(tables: Tables, tmp_path: Path) -> None:
    report = validate(broken_tables(tables), tmp_path / "out")
    passed = {result.name for result in report.results if result.success}
    assert passed == {"posts_present", "mentions_present", "entities_present"}
    by_name = {result.name: result for result in report.results}
    assert by_name["post_id_unique"].unexpected == 2
    assert by_name["post_id_unique"].examples == ("p1", "p1")
    assert by_name["span_holds_mention"].unexpected == 1
    assert by_name["span_holds_mention"].examples[0].startswith("m1")
    assert by_name["no_leakage"].examples[0] == "m1 2"
    assert (by_name["no_leakage"].unexpected, by_name["no_leakage"].rows) == (2, 5)
    assert {result.name for result in report.failed("warning")} == {"images_read", "entities_in_kb", "no_leakage"}
    words = "post_exists (the post of each mention exists): 1 of 5 rows of mentions, e.g. m1"
    assert words in report.complaint()


def test_empty_tables_fail(tables: Tables, tmp_path: Path) -> None:
    empty = replace(
        tables, posts=tables.posts.clear(), mentions=tables.mentions.clear(), entities=tables.entities.clear()
    )
    report = validate(empty, tmp_path / "out")
    failed = [result.name for result in report.failed("critical")]
    assert failed == ["posts_present", "mentions_present", "entities_present"]
    assert "there are mentions): 0 of 0 rows" in report.complaint()


def test_nil_mentions_do_not_count_against_the_catalog(tables: Tables, tmp_path: Path) -> None:
    report = validate(tables, tmp_path / "out")
    assert {result.name: result.rows for result in report.results}["entities_in_kb"] == 2


def test_data_docs_load_nothing_and_escape_the_data(tables: Tables, tmp_path: Path) -> None:
    evil = "<svg/onload=alert(1)></table>"
    posts = pl.concat([tables.posts, tables.posts[:1].with_columns(post_id=pl.lit(evil), split=pl.lit(evil))])
    validate(replace(tables, posts=posts), tmp_path / "out")
    for page in (tmp_path / "out" / "data_docs").iterdir():
        text = page.read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        assert not re.search(r"https?://|<script|<link|<img", text)
        assert evil not in text
    assert "&lt;svg/onload" in (tmp_path / "out" / "data_docs" / "posts.html").read_text(encoding="utf-8")


def test_validation_file_holds_every_result(tables: Tables, tmp_path: Path) -> None:
    report = validate(tables, tmp_path / "out")
    checks = json.loads((tmp_path / "out" / "validation.json").read_text(encoding="utf-8"))["checks"]
    assert [CheckResult(**check | {"examples": tuple(check["examples"])}) for check in checks] == list(report.results)


def test_dropped_expectation_is_noticed() -> None:
    checks = all_checks(**SHARES)
    outcome = SimpleNamespace(results=[], statistics={"evaluated_expectations": 0})
    with pytest.raises(DataError, match=r"entities: 0 of 6 checks were evaluated, lacking \['entities_present'"):
        expectations._results("entities", outcome, checks)


def test_check_that_raises_is_no_result() -> None:
    outcome = SimpleNamespace(result={}, success=False, exception_info={"exception_message": "column gone"})
    with pytest.raises(DataError, match=r"check posts_present could not be evaluated: .*column gone"):
        expectations._result(all_checks(**SHARES)[0], outcome)


def test_validation_is_quiet(tables: Tables, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    validate(tables, tmp_path / "out")
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
