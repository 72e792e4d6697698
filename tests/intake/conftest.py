"""Fixtures of an intake."""

from pathlib import Path

import pytest
from intake_world import make_project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a data set, without a drop folder."""
    return make_project(tmp_path / "project")
