"""popularity.tsv: counts from elsewhere take the place of those that the entities state."""

from pathlib import Path

import pytest
from posts.tiny_dataset import WriteDataset

from gemel.core.errors import DataError
from gemel.posts.dataset import read_dataset
from gemel.posts.popularity import POPULARITY, read_popularity


def test_file_takes_the_place_of_stated_popularity(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    first, *others = (entity.entity_id for entity in read_dataset(folder).entities)
    (folder / POPULARITY).write_text(f"{first}\t1200.5\nQ999999\t3\n\n")
    found = {entity.entity_id: entity.popularity for entity in read_dataset(folder).entities}
    assert found == {first: 1200.5} | dict.fromkeys(others, 0.0)


@pytest.mark.parametrize("line", ["Q1", "Q1\tmany", "Q1\t-1", "Q1\tnan", "Q1\t1\t2", "\t3"])
def test_line_that_is_no_pair_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / POPULARITY
    path.write_text(f"Q7\t1\n{line}\n")
    with pytest.raises(DataError, match=r"popularity\.tsv line 2: expected an id and a count of at least 0"):
        read_popularity(path)


def test_id_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / POPULARITY
    path.write_text("Q7\t1\nQ7\t2\n")
    with pytest.raises(DataError, match="line 2: 'Q7' is there twice"):
        read_popularity(path)
