"""Test files outside of packages share one namespace: two of one name break a whole run, not a run of either."""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_two_test_files_share_a_name() -> None:
    names = Counter(
        file.name
        for file in TESTS.rglob("*.py")
        if not (file.parent / "__init__.py").exists() and file.name != "conftest.py"
    )
    assert [name for name, files in names.items() if files > 1] == []
