"""Files and folders take the place of others whole, and what a killed run left is mended."""

from pathlib import Path

import pytest

from gemel.core.drafts import draft_beside, put_in_place, whole_file


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder with one file, in a folder of its own."""
    target = tmp_path / "home" / "target"
    target.mkdir(parents=True)
    (target / "old").touch()
    return target


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_draft_takes_the_place_of_the_target(target: Path) -> None:
    with draft_beside(target) as draft:
        (draft / "new").touch()
        put_in_place(draft, target)
    assert (names(target), names(target.parent)) == (["new"], ["target"])


def test_draft_that_was_not_put_in_place_is_removed(target: Path) -> None:
    with draft_beside(target) as draft:
        (draft / "new").touch()
    assert (names(target), names(target.parent)) == (["old"], ["target"])


def test_target_comes_back_if_the_draft_can_not_be_renamed(target: Path) -> None:
    with pytest.raises(OSError, match="gone"), draft_beside(target):
        put_in_place(target.with_name("gone"), target)
    assert (names(target), names(target.parent)) == (["old"], ["target"])


def test_target_that_a_killed_run_had_moved_away_comes_back(target: Path) -> None:
    target.rename(target.with_name(".target.former"))
    target.with_name(".target.draft-1").mkdir()
    with draft_beside(target):
        assert names(target) == ["old"]
    assert names(target.parent) == ["target"]


def test_drafts_of_other_targets_are_left_alone(target: Path) -> None:
    other = target.with_name(".target2.draft-1")
    other.mkdir()
    with draft_beside(target):
        assert other.exists()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with the text "old", in a folder of its own."""
    file = tmp_path / "files" / "a.txt"
    file.parent.mkdir()
    file.write_text("old")
    return file


def test_whole_file_takes_the_place_of_the_target(file: Path) -> None:
    with whole_file(file) as draft:
        draft.write_text("new")
        assert file.read_text() == "old"
    assert (file.read_text(), names(file.parent)) == ("new", ["a.txt"])


def test_whole_file_needs_no_former_one(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.txt") as draft:
        draft.write_text("new")
    assert names(tmp_path) == ["a.txt"]


def test_error_leaves_the_former_file_and_no_draft(file: Path) -> None:
    with pytest.raises(KeyboardInterrupt), whole_file(file) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert (file.read_text(), names(file.parent)) == ("old", ["a.txt"])


def test_file_that_can_not_be_renamed_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "a.txt" / "b").mkdir(parents=True)
    with pytest.raises(OSError), whole_file(tmp_path / "a.txt") as draft:
        draft.write_text("new")
    assert names(tmp_path) == ["a.txt"]


def test_what_a_killed_run_left_of_a_file_is_overwritten(file: Path) -> None:
    file.with_name(".a.txt.draft").write_text("a longer half")
    with whole_file(file) as draft:
        draft.write_text("new")
    assert (file.read_text(), names(file.parent)) == ("new", ["a.txt"])
