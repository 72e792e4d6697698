"""The tables of the tiny data set, and an encoding that shows each character."""

from pathlib import Path

import polars as pl
import pytest

from gemel.posts.tables import Tables
from gemel.tasks.linking.demonstrations import solved_mentions


@pytest.fixture(scope="session")
def tables(tiny_dataset: Path) -> Tables:
    from tiny_world import make_tables

    return make_tables(tiny_dataset)


@pytest.fixture(scope="session")
def solved(tables: Tables) -> pl.DataFrame:
    return solved_mentions(tables.mentions, tables.posts, tables.entities, "train")
