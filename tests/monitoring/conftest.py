"""Training data that the tests of monitoring share."""

import pytest
from browser import browser
from made_up_service import write_artifacts

from gemel.monitoring.reference import Reference, read_reference

__all__ = ["browser"]


@pytest.fixture(scope="session")
def training_data(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What the artifacts of the made-up data say."""
    return read_reference(write_artifacts(tmp_path_factory.mktemp("artifacts")), most_images=300)
