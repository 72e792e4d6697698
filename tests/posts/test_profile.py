"""The profile of a data set: what it counts, and its file."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tiny_dataset import WriteDataset

from gemel.core.errors import DataError
from gemel.entities.catalog import unique_names
from gemel.posts.dataset import read_dataset
from gemel.posts.languages import LANGUAGES_SCHEMA
from gemel.posts.profile import Profile, build_profile, read_profile
from gemel.posts.tables import Tables, build_tables

LANGUAGES = pl.DataFrame([("p1", "en"), ("p2", "en"), ("p3", "und")], schema=LANGUAGES_SCHEMA, orient="row")
PROFILE = Profile("tiny", {"posts": 3}, {"image": {"none": 0.6667, "read": 0.3333}})


@pytest.fixture
def tables(write_dataset: WriteDataset) -> Tables:
    dataset = read_dataset(write_dataset())
    return build_tables(dataset, unique_names(dataset.entities).entities)


def test_profile_holds_counts_and_shares_of_every_feature(tables: Tables) -> None:
    third = 0.3333
    assert build_profile("tiny", tables, LANGUAGES) == Profile(
        dataset="tiny",
        counts={"posts": 3, "mentions": 3, "entities": 2},
        shares={
            "split": {"dev": third, "test": third, "train": third},
            "image": {"none": 0.6667, "read": third},
            "language": {"en": 0.6667, "und": third},
            "text_length": {"8 to 11": third, "16 to 23": 0.6667},
            "mention_length": {"6 to 7": 1.0},
            "mentions_per_post": {"1": 1.0},
            "gold": {"in_kb": 0.6667, "nil": third},
            "entity_type": {"animal": 0.5, "car maker": 0.5},
            "entity": {"Q30055": 0.5, "Q35694": 0.5},
        },
    )


def test_posts_without_mentions_are_counted(tables: Tables) -> None:
    profile = build_profile("tiny", replace(tables, mentions=tables.mentions[:1]), LANGUAGES)
    assert profile.shares["mentions_per_post"] == {"0": 0.6667, "1": 0.3333}


def test_rare_values_are_counted_together(tables: Tables) -> None:
    ids = pl.Series([f"Q{number // 2:02d}" for number in range(50)])
    mentions = pl.concat([tables.mentions[:1]] * 50).with_columns(entity_id=ids)
    shares = build_profile("tiny", replace(tables, mentions=mentions), LANGUAGES).shares["entity"]
    assert list(shares) == [f"Q{number:02d}" for number in range(20)] + ["(other)"]
    assert shares["(other)"] == 0.2


def test_entities_without_a_type_or_outside_the_catalog_are_counted_as_none(tables: Tables) -> None:
    entities = tables.entities[:1].with_columns(entity_type=pl.lit(""))
    profile = build_profile("tiny", replace(tables, entities=entities), LANGUAGES)
    assert profile.shares["entity_type"] == {"(none)": 1.0}


def test_empty_tables_have_a_profile(tables: Tables) -> None:
    empty = replace(tables, posts=tables.posts.clear(), mentions=tables.mentions.clear())
    profile = build_profile("tiny", empty, LANGUAGES.clear())
    assert profile.shares["text_length"] == profile.shares["entity"] == {}


def test_file_of_a_profile_is_read_back(tmp_path: Path) -> None:
    PROFILE.write(tmp_path / "new" / "p.json", history=["one"])
    assert read_profile(tmp_path / "new" / "p.json") == (PROFILE, {"history": ["one"]})
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["p.json"]


def test_failed_write_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.json"
    PROFILE.write(path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        replace(PROFILE, dataset="other").write(path)
    assert path.read_bytes() == before


def test_hash_follows_the_content() -> None:
    assert PROFILE.sha256 == replace(PROFILE).sha256
    assert PROFILE.sha256 != replace(PROFILE, counts={"posts": 4}).sha256


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<<<<<<< HEAD", r"p.json: not readable as JSON \(.*; restore it from git, or run `dvc repro posts` and"),
        ("[]", "p.json: expected a profile of format 1; restore it from git"),
        ('{"format": 2}', "p.json: expected a profile of format 1"),
        (json.dumps({"format": 1, "dataset": "a", "counts": {"posts": "x"}, "shares": {}}), "p.json: counts.posts: "),
        (None, "p.json: no such profile; restore it from git"),
    ],
)
def test_broken_file_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "p.json").write_text(content)
    with pytest.raises(DataError, match=words):
        read_profile(tmp_path / "p.json")
