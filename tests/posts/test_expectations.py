"""The checks of a data set, with real runs of Great Expectations."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from tiny_dataset import POSTS, WriteDataset, mention, post

from gemel.core.errors import DataError
from gemel.entities.catalog import unique_names
from gemel.posts import expectations
from gemel.posts.checks import Limits, all_checks
from gemel.posts.columns import REJECTED_SCHEMA
from gemel.posts.dataset import read_dataset
from gemel.posts.expectations import CheckResult, ValidationReport, failed_checks, validate_tables
from gemel.posts.frames import Usual
from gemel.posts.profile import Profile, read_profile
from gemel.posts.tables import Tables, build_tables
from gemel.posts.wikimel import import_wikimel

REAL = Path(__file__).parents[3] / "shared" / "data" / "wikimel" / "mimic_format"
USUAL = Usual(shortest=1, longest=100, language="en", most_uses=10)
# The tiny data set has one picture, one NIL mention and one that isn't in its text.
LIMITS = Limits(max_imputed_share=0.8, max_nil_share=0.3, min_in_text_share=0.7)
GERMAN = "Das ist ein deutscher Satz, der etwas über den Menschen auf dem Bild erzählt und nicht mehr"
ENGLISH = "This is an English sentence that says something about the person in the picture and no more"


@pytest.fixture
def tables(write_dataset: WriteDataset) -> Tables:
    graded = post("p4", "The Jaguar ran", mention("m4", "Jaguar", "Q35694"), split="test")
    dataset = read_dataset(write_dataset([*POSTS, graded]))
    return build_tables(dataset, unique_names(dataset.entities).entities)


def validate(
    tables: Tables,
    folder: Path,
    *,
    limits: Limits = LIMITS,
    accepted: Profile | None = None,
    rows_in: Mapping[str, int] | None = None,
) -> ValidationReport:
    folder.mkdir(exist_ok=True)
    tables.write(folder)
    rows = {
        "posts.jsonl": tables.posts.height,
        "posts.jsonl:mentions": tables.mentions.height,
        "entities.jsonl": tables.entities.height,
    }
    return validate_tables(tables, folder, dataset="tiny", rows_in=rows_in or rows, accepted=accepted, limits=limits)


def result_of(report: ValidationReport, name: str) -> CheckResult:
    (result,) = (result for result in report.results if result.name == name)
    return result


def with_posts(tables: Tables, count: int) -> Tables:
    """So many copies of the first post, in train, each with its own id and a picture of its own."""
    numbers = pl.int_range(count, eager=True).cast(pl.String)
    copies = pl.concat([tables.posts[:1]] * count)
    return replace(tables, posts=copies.with_columns(post_id="q" + numbers, image_sha256="s" + numbers))


def test_good_tables_pass_every_check(tables: Tables, tmp_path: Path) -> None:
    report = validate(tables, tmp_path / "out")
    assert [result.name for result in report.results if not result.success] == []
    wanted = [check.name for check in all_checks(LIMITS, USUAL, with_drift=False)]
    assert sorted(result.name for result in report.results) == sorted(wanted)
    assert report.complaint() == ""


def test_result_and_data_docs_never_change_by_themselves(tables: Tables, tmp_path: Path) -> None:
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        validate(tables, folder)
        contents.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")})
    assert contents[0] == contents[1]
    names = {"validation.json", "checks.json", "profile.json", "data_docs/index.html", "data_docs/posts.html"}
    assert {str(path) for path in contents[0]} >= names


def broken_tables(tables: Tables) -> Tables:
    """Tables that break every check of single rows but the ones of outliers."""
    posts = pl.concat([tables.posts, tables.posts[:1]]).with_columns(
        text=pl.lit(" "), split=pl.lit("valid"), image_status=pl.lit("lost")
    )
    posts = pl.concat([posts, posts[:1].with_columns(post_id=pl.lit(None, pl.String))])
    twin = tables.mentions[:1].with_columns(
        start=pl.lit(0, pl.Int64), end=pl.lit(6, pl.Int64), split=pl.lit("valid"), in_kb=False, entity_id=pl.lit("Q1")
    )
    stray = tables.mentions[2:3].with_columns(
        mention_id=pl.lit(None, pl.String), mention=pl.lit(""), post_id=pl.lit("p9")
    )
    untrue = tables.mentions[3:].with_columns(in_kb=False, in_text=False, mention_id=pl.lit("m5"))
    entity = tables.entities[:1].with_columns(name=pl.lit(None, pl.String))
    blanks = pl.concat([entity.with_columns(name=pl.lit(""), entity_id=pl.lit(None, pl.String))] * 2)
    return replace(
        tables,
        posts=posts,
        mentions=pl.concat([tables.mentions[:3], twin, stray, untrue]),
        entities=pl.concat([tables.entities, entity, blanks]),
    )


def test_each_check_of_rows_can_fail(tables: Tables, tmp_path: Path) -> None:
    report = validate(broken_tables(tables), tmp_path / "out", limits=Limits())
    passed = {result.name for result in report.results if result.success}
    of_outliers = {"image_not_repeated", "text_length_usual", "language_usual", "dev_text_unseen", "test_text_unseen"}
    present = {"posts_present", "mentions_present", "entities_present"}
    assert passed == present | of_outliers | {"schema", "rows_add_up", "few_rejected"}
    assert result_of(report, "post_id_unique").unexpected == 2
    assert result_of(report, "post_id_unique").examples == ("p1", "p1")
    assert result_of(report, "in_kb_true").examples == ("m5 'no' 'yes'",)
    assert result_of(report, "span_holds_mention").examples == ("m1 'Jaguar' 'The Ja'",)
    assert result_of(report, "splits_complete").examples == ("test 0",)
    words = "post_exists (the post of each mention exists): 1 of 6 mentions, e.g. None 'no'"
    assert words in report.complaint()


def test_what_is_only_unlikely_is_a_warning(tables: Tables, tmp_path: Path) -> None:
    report = validate(broken_tables(tables), tmp_path / "out", limits=Limits())
    names = ["images_read", "imputed_images", "mention_in_text", "entities_in_kb", "few_nil", "one_gold", "no_leakage"]
    assert [result.name for result in report.failed("warning")] == names


def test_empty_tables_fail(tables: Tables, tmp_path: Path) -> None:
    empty = replace(
        tables, posts=tables.posts.clear(), mentions=tables.mentions.clear(), entities=tables.entities.clear()
    )
    report = validate(empty, tmp_path / "out")
    failed = [result.name for result in report.failed("critical")]
    assert failed == ["splits_complete", "posts_present", "mentions_present", "entities_present"]
    assert "there are mentions): 0 of 0 mentions" in report.complaint()


def test_nil_mentions_do_not_count_against_the_catalog(tables: Tables, tmp_path: Path) -> None:
    report = validate(tables, tmp_path / "out")
    assert result_of(report, "entities_in_kb").rows == 3
    assert result_of(report, "few_nil").examples == ("m3 'no'",)


def test_written_table_with_another_column_fails(tables: Tables, tmp_path: Path) -> None:
    wrong = tables.names.with_columns(pl.col("name").cast(pl.Categorical)).rename({"kind": "sort"})
    report = validate(replace(tables, names=wrong), tmp_path / "out")
    assert result_of(report, "schema").examples == (
        "names.name 'String' 'Categorical'",
        "names.kind 'String' 'absent'",
        "names.sort 'absent' 'String'",
    )
    assert [result.name for result in report.failed("critical")] == ["schema"]


def test_row_that_was_lost_on_the_way_to_the_tables_fails(tables: Tables, tmp_path: Path) -> None:
    rows = {"posts.jsonl": 5, "posts.jsonl:mentions": 4, "entities.jsonl": 2}
    report = validate(tables, tmp_path / "out", rows_in=rows)
    words = "rows_add_up (rows in = rows out + rows rejected): 1 of 3 sources, e.g. posts.jsonl 5 4"
    assert report.complaint() == words


def test_rejected_rows_add_up_and_are_limited_in_each_file(tables: Tables, tmp_path: Path) -> None:
    rejected = pl.DataFrame([("posts.jsonl", 3, "{}", "text: Field required")], schema=REJECTED_SCHEMA, orient="row")
    rows = {"posts.jsonl": 5, "posts.jsonl:mentions": 4, "entities.jsonl": 2}
    report = validate(replace(tables, rejected=rejected), tmp_path / "out", rows_in=rows)
    assert [result.name for result in report.failed("critical")] == ["few_rejected"]
    assert result_of(report, "few_rejected").examples == ("posts.jsonl 0.2 line 3: text: Field required",)
    assert "at most 1.00% of each file's rows are rejected (posts.max_rejected_share)" in report.complaint()


def test_rejected_rows_of_an_unknown_file_do_not_add_up(tables: Tables, tmp_path: Path) -> None:
    rejected = pl.DataFrame([("other.jsonl", 3, "{}", "broken")], schema=REJECTED_SCHEMA, orient="row")
    report = validate(replace(tables, rejected=rejected), tmp_path / "out")
    assert result_of(report, "rows_add_up").examples == ("other.jsonl 0 1 line 3: broken",)


def test_split_without_a_gradable_mention_fails(tables: Tables, tmp_path: Path) -> None:
    report = validate(replace(tables, mentions=tables.mentions[:3]), tmp_path / "out")
    assert "splits_complete (train, dev and test each have a mention" in report.complaint()
    assert result_of(report, "splits_complete").examples == ("test 0",)


def mention_in(tables: Tables, split: str, **changes: str | None) -> Tables:
    """The tables with the first post and its mention once more, in another split."""
    ids = {"post_id": pl.lit("p8"), "split": pl.lit(split)}
    twin = tables.posts[:1].with_columns(
        **ids, **{key: pl.lit(value, pl.String) for key, value in changes.items() if key in tables.posts.columns}
    )
    again = tables.mentions[:1].with_columns(
        mention_id=pl.lit("m8"),
        **ids,
        **{key: pl.lit(value, pl.String) for key, value in changes.items() if key in tables.mentions.columns},
    )
    return replace(tables, posts=pl.concat([tables.posts, twin]), mentions=pl.concat([tables.mentions, again]))


def test_same_text_mention_and_image_in_two_splits_is_leakage(tables: Tables, tmp_path: Path) -> None:
    report = validate(mention_in(tables, "dev"), tmp_path / "out")
    assert [result.name for result in report.failed("warning")] == ["no_leakage", "dev_text_unseen"]
    assert result_of(report, "no_leakage").examples == ("m1 2", "m8 2")


def test_same_text_and_mention_with_another_image_is_no_leakage(tables: Tables, tmp_path: Path) -> None:
    report = validate(mention_in(tables, "test", image="images/b.png", image_sha256="b"), tmp_path / "out")
    assert [result.name for result in report.failed("warning")] == ["test_text_unseen"]
    seen = result_of(report, "test_text_unseen")
    assert (seen.unexpected, seen.rows, seen.examples) == (1, 3, ("m8 2",))


def test_same_image_under_two_names_is_leakage(tables: Tables, tmp_path: Path) -> None:
    report = validate(mention_in(tables, "test", image="images/b.png"), tmp_path / "out")
    assert not result_of(report, "no_leakage").success


def test_two_golds_for_one_mention_are_a_warning(tables: Tables, tmp_path: Path) -> None:
    report = validate(mention_in(tables, "train", entity_id="Q30055"), tmp_path / "out")
    assert [result.name for result in report.failed("warning")] == ["one_gold"]
    assert result_of(report, "one_gold").examples == ("m1 2", "m8 2")


@pytest.mark.skipif(not REAL.exists(), reason="the published splits of WikiMEL are not here")
def test_sentences_that_published_splits_of_wikimel_share_are_counted(tmp_path: Path) -> None:
    import_wikimel(REAL, tmp_path / "wikimel", None)
    dataset = read_dataset(tmp_path / "wikimel")
    tables = build_tables(dataset, unique_names(dataset.entities).entities)
    report = validate(tables, tmp_path / "out")
    counts = {name: result_of(report, name) for name in ("dev_text_unseen", "test_text_unseen", "no_leakage")}
    found = {name: (result.unexpected, result.rows) for name, result in counts.items()}
    assert found == {"dev_text_unseen": (640, 2585), "test_text_unseen": (1167, 5169), "no_leakage": (32, 25846)}
    assert {"test_text_unseen", "dev_text_unseen", "no_leakage"} <= {one.name for one in report.failed("warning")}


def test_text_that_is_far_longer_than_the_others_is_a_warning(tables: Tables, tmp_path: Path) -> None:
    long = with_posts(tables, 50).posts.with_columns(
        text=pl.when(pl.col("post_id") == "q7").then(pl.lit("word " * 40)).otherwise("text")
    )
    report = validate(replace(tables, posts=pl.concat([tables.posts, long])), tmp_path / "out")
    found = result_of(report, "text_length_usual")
    assert (found.success, found.severity, found.examples) == (False, "warning", ("q7 200",))
    assert "at least 99% of the texts are 1 to 160 characters long" in found.description


def test_few_long_texts_are_allowed(tables: Tables, tmp_path: Path) -> None:
    long = tables.posts[:1].with_columns(text=pl.lit("word " * 40), post_id=pl.lit("long"), image_sha256=pl.lit("l"))
    report = validate(replace(tables, posts=pl.concat([with_posts(tables, 150).posts, long])), tmp_path / "out")
    found = result_of(report, "text_length_usual")
    assert (found.success, found.unexpected, found.rows) == (True, 1, 151)


def test_posts_of_other_languages_are_a_warning(tables: Tables, tmp_path: Path) -> None:
    texts = pl.Series([GERMAN, *[ENGLISH] * 3, "Ab"])
    posts = with_posts(tables, 5).posts.with_columns(text=texts)
    report = validate(replace(tables, posts=posts), tmp_path / "out")
    found = result_of(report, "language_usual")
    assert (found.success, found.severity, found.unexpected, found.rows) == (False, "warning", 1, 4)
    assert found.examples == ("q0 'de'",)
    assert "at least 90% of the sampled posts that show their language share it: en" in found.description


def test_posts_of_one_language_pass(tables: Tables, tmp_path: Path) -> None:
    posts = with_posts(tables, 5).posts.with_columns(text=pl.lit(ENGLISH))
    assert result_of(validate(replace(tables, posts=posts), tmp_path / "out"), "language_usual").success


def test_picture_of_many_posts_is_a_warning(tables: Tables, tmp_path: Path) -> None:
    posts = pl.concat([with_posts(tables, 11).posts.with_columns(image_sha256=pl.lit("same")), tables.posts[1:]])
    found = result_of(validate(replace(tables, posts=posts), tmp_path / "out"), "image_not_repeated")
    assert (found.success, found.severity, found.unexpected, found.rows) == (False, "warning", 11, 11)
    assert found.description == "no picture stands in more than 10 posts, as a placeholder would"


@pytest.mark.parametrize(
    ("limits", "name", "share"),
    [
        (Limits(max_imputed_share=0.7), "imputed_images", 0.75),
        (Limits(max_nil_share=0.2), "few_nil", 0.25),
        (Limits(min_in_text_share=0.8), "mention_in_text", 0.25),
    ],
)
def test_share_beyond_its_setting_is_a_warning(
    tables: Tables, tmp_path: Path, limits: Limits, name: str, share: float
) -> None:
    found = result_of(validate(tables, tmp_path / "out", limits=limits), name)
    assert (found.success, found.severity, found.share) == (False, "warning", share)


def test_share_is_reported_where_its_check_passes(tables: Tables, tmp_path: Path) -> None:
    validate(tables, tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "checks.json").read_text())
    assert metrics["imputed_images"] == {"unexpected_share": 0.75, "passed": True}
    assert metrics["few_nil"] == {"unexpected_share": 0.25, "passed": True}
    assert metrics["drift"] == {}


def accepted_profile(tables: Tables, tmp_path: Path) -> Profile:
    validate(tables, tmp_path / "accepted")
    return read_profile(tmp_path / "accepted" / "profile.json")[0]


def test_unchanged_version_has_not_drifted(tables: Tables, tmp_path: Path) -> None:
    accepted = accepted_profile(tables, tmp_path)
    report = validate(tables, tmp_path / "out", accepted=accepted)
    assert [result.name for result in report.results if not result.success] == []
    assert [result.name for result in report.results][-2:] == ["no_drift", "rows_kept"]
    metrics = json.loads((tmp_path / "out" / "checks.json").read_text())
    assert metrics["drift"] == dict.fromkeys(accepted.shares, 0.0)


def test_drift_names_the_feature_and_what_moved(tables: Tables, tmp_path: Path) -> None:
    accepted = accepted_profile(tables, tmp_path)
    moved = replace(tables, posts=tables.posts.with_columns(image_status=pl.lit("missing")))
    report = validate(moved, tmp_path / "out", accepted=accepted)
    assert [result.name for result in report.failed("critical")] == ["no_drift"]
    assert result_of(report, "no_drift").examples == (
        "image 1.0 missing: 0.0% → 100.0%, none: 75.0% → 0.0%, read: 25.0% → 0.0%",
    )
    assert "(no distribution is further than 0.1 from the accepted version's (posts.max_drift)): 1 of 9" in (
        report.complaint()
    )


def test_lost_rows_are_drift(tables: Tables, tmp_path: Path) -> None:
    accepted = accepted_profile(tables, tmp_path)
    fewer = replace(tables, posts=tables.posts[:3], mentions=tables.mentions.filter(pl.col("post_id") != "p3"))
    report = validate(fewer, tmp_path / "out", accepted=accepted, limits=replace(LIMITS, max_drift=1.0))
    assert result_of(report, "rows_kept").examples == (
        "number of posts 0.25 4 → 3",
        "number of mentions 0.25 4 → 3",
    )


def test_drift_within_the_settings_passes_and_is_shown(tables: Tables, tmp_path: Path) -> None:
    accepted = accepted_profile(tables, tmp_path)
    moved = replace(tables, posts=tables.posts.with_columns(image_status=pl.lit("missing")))
    report = validate(moved, tmp_path / "out", accepted=accepted, limits=replace(LIMITS, max_drift=1.0))
    assert result_of(report, "no_drift").success
    index = (tmp_path / "out" / "data_docs" / "index.html").read_text(encoding="utf-8")
    assert "<td>image</td><td>1.0</td><td>missing: 0.0% → 100.0%" in index


def test_data_docs_say_that_nothing_was_compared(tables: Tables, tmp_path: Path) -> None:
    validate(tables, tmp_path / "out")
    index = (tmp_path / "out" / "data_docs" / "index.html").read_text(encoding="utf-8")
    assert "Not compared with an accepted version: there is none." in index


def test_index_of_the_data_docs_begins_with_what_failed(tables: Tables, tmp_path: Path) -> None:
    limits = replace(LIMITS, max_nil_share=0.1)
    validate(replace(tables, mentions=tables.mentions[:3]), tmp_path / "out", limits=limits)
    index = (tmp_path / "out" / "data_docs" / "index.html").read_text(encoding="utf-8")
    names = re.findall(r"<b>(\w+)</b>", index)
    assert names[:4] == ["splits_complete", "mention_in_text", "few_nil", "schema"]


def test_data_docs_load_nothing_and_escape_the_data(tables: Tables, tmp_path: Path) -> None:
    evil = "<svg/onload=alert(1)></table>"
    posts = pl.concat([tables.posts, tables.posts[:1].with_columns(post_id=pl.lit(evil), split=pl.lit(evil))])
    validate(replace(tables, posts=posts), tmp_path / "out", accepted=accepted_profile(tables, tmp_path))
    for page in (tmp_path / "out" / "data_docs").iterdir():
        text = page.read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        assert not re.search(r"https?://|<script|<link|<img", text)
        assert evil not in text
    assert "&lt;svg/onload" in (tmp_path / "out" / "data_docs" / "posts.html").read_text(encoding="utf-8")
    assert "&lt;svg/onload" in (tmp_path / "out" / "data_docs" / "index.html").read_text(encoding="utf-8")


def test_validation_file_holds_every_result(tables: Tables, tmp_path: Path) -> None:
    report = validate(tables, tmp_path / "out")
    checks = json.loads((tmp_path / "out" / "validation.json").read_text(encoding="utf-8"))["checks"]
    assert [CheckResult(**check | {"examples": tuple(check["examples"])}) for check in checks] == list(report.results)


def test_metrics_and_failed_checks_agree_with_the_report(tables: Tables, tmp_path: Path) -> None:
    report = validate(replace(tables, mentions=tables.mentions[:3]), tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "checks.json").read_text())
    assert {name for name, check in metrics.items() if name != "drift" and not check["passed"]} == {
        "splits_complete",
        "few_nil",
        "mention_in_text",
    }
    assert (
        failed_checks(tmp_path / "out") == [result.name for result in report.failed("critical")] == ["splits_complete"]
    )


def test_dropped_expectation_is_noticed() -> None:
    checks = all_checks(LIMITS, USUAL, with_drift=True)
    outcome = SimpleNamespace(results=[], statistics={"evaluated_expectations": 0})
    with pytest.raises(DataError, match=r"entities: 0 of 6 checks were evaluated, lacking \['entities_present'"):
        expectations._results("entities", outcome, checks)


def test_check_that_raises_is_no_result() -> None:
    outcome = SimpleNamespace(result={}, success=False, exception_info={"exception_message": "column gone"})
    with pytest.raises(DataError, match=r"check schema could not be evaluated: .*column gone"):
        expectations._result(all_checks(LIMITS, USUAL, with_drift=False)[0], outcome)


def test_validation_is_quiet(tables: Tables, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    validate(tables, tmp_path / "out")
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
