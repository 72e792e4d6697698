"""The tables: what they hold, and that writing and reading them loses nothing."""

import hashlib
from pathlib import Path

import polars as pl
import pytest
from tiny_dataset import ENTITIES, POSTS, WriteDataset, post

from gemel.core.errors import ArtifactError
from gemel.core.schema import Entity
from gemel.posts.columns import SCHEMAS
from gemel.posts.dataset import read_dataset
from gemel.posts.tables import Tables, build_tables, table_facts

NAMED = [Entity("Q35694", "Jaguar (animal)", "Jaguar", aliases=("Panthera onca",)), Entity("Q30055", "Jaguar Cars")]


@pytest.fixture
def tables(write_dataset: WriteDataset) -> Tables:
    dataset = read_dataset(write_dataset([*POSTS, {"id": "bad"}], [*ENTITIES, b"{"]))
    return build_tables(dataset, NAMED)


def test_tables_have_their_schemas_even_when_empty(tables: Tables, write_dataset: WriteDataset) -> None:
    bare = build_tables(read_dataset(write_dataset([post("p", "x")])), [])
    assert (bare.mentions.height, bare.entities.height, bare.rejected.height) == (0, 0, 0)
    for name, schema in SCHEMAS.items():
        assert dict(getattr(tables, name).schema) == dict(schema)
        assert dict(getattr(bare, name).schema) == dict(schema)


def test_rows_keep_the_order_of_the_files(tables: Tables) -> None:
    assert tables.posts["post_id"].to_list() == ["p1", "p2", "p3"]
    assert tables.entities["name"].to_list() == ["Jaguar (animal)", "Jaguar Cars"]
    assert tables.rejected.select("source", "line").rows() == [("posts.jsonl", 4), ("entities.jsonl", 3)]


def test_mention_carries_split_and_text_of_its_post(tables: Tables) -> None:
    assert tables.mentions.row(1, named=True) == {
        "mention_id": "m2",
        "post_id": "p2",
        "mention": "Jaguar",
        "start": None,
        "end": None,
        "in_text": True,
        "occurrences": 2,
        "entity_id": "Q30055",
        "in_kb": True,
        "split": "dev",
        "text": "Jaguar beats Jaguar",
    }


def test_names_are_all_that_an_entity_goes_by(write_dataset: WriteDataset) -> None:
    jaguar = Entity("Q1", "Jaguar (cat)", "Jaguar", aliases=("P. onca", " ", "P. onca"), title="Jaguar", language="en")
    found = build_tables(read_dataset(write_dataset()), [jaguar, Entity("Q2", "Puma", "Puma")]).names
    assert found.rows() == [
        ("Q1", "Jaguar (cat)", "en", "generated"),
        ("Q1", "Jaguar", "en", "label"),
        ("Q1", "Jaguar", "en", "title"),
        ("Q1", "P. onca", "en", "alias"),
        ("Q2", "Puma", None, "generated"),
        ("Q2", "Puma", None, "label"),
    ]


def test_facts_count_what_is_unusual(tables: Tables) -> None:
    assert table_facts(tables) == {
        "posts": 3,
        "mentions": 3,
        "entities": 2,
        "names": 4,
        "rejected": 2,
        "images": {"none": 2, "read": 1},
        "mentions_not_in_text": 1,
        "repeated_mentions": 1,
        "nil_mentions": 1,
        "mentions_out_of_kb": 0,
    }


def test_written_tables_are_read_back_equal_and_have_equal_bytes(tables: Tables, tmp_path: Path) -> None:
    hashes = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        tables.write(folder)
        back = Tables.read(folder)
        assert all(getattr(back, name).equals(getattr(tables, name)) for name in SCHEMAS)
        hashes.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())])
    assert hashes[0] == hashes[1]


def test_unreadable_tables_name_the_stage(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"posts.parquet: no such file; run `dvc repro posts`"):
        Tables.read(tmp_path)
    tables.write(tmp_path)
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "mentions.parquet")
    with pytest.raises(ArtifactError, match=r"mentions.parquet: expected the columns \['mention_id'.*run `dvc repro"):
        Tables.read(tmp_path)
    (tmp_path / "posts.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactError, match=r"posts.parquet: not a readable parquet file"):
        Tables.read(tmp_path)
