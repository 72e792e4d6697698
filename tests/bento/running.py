"""A running service of a test's own, and a home of BentoML's of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models import ModelStore
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from bento.service import Gemel


@contextmanager
def bentoml_home(home: Path) -> Iterator[Path]:
    """Give BentoML another home, with an empty store; it reads BENTOML_HOME only once a process."""
    (home / "models").mkdir(parents=True)
    store = ModelStore(home / "models")
    with BentoMLContainer.bentoml_home.patch(str(home)), BentoMLContainer.model_store.patch(store):
        yield home


@contextmanager
def running_service() -> Iterator[TestClient]:
    """A client of a service that runs in this process."""
    before = set(REGISTRY._collector_to_names)
    try:
        with TestClient(app=Gemel.to_asgi()) as client:
            yield client
    finally:
        # BentoML registers its own measures anew with each service, which Prometheus takes once a process.
        for collector in set(REGISTRY._collector_to_names) - before:
            REGISTRY.unregister(collector)
