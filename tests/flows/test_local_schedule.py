"""What `make schedule` brings to a server, and that a worker runs it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL

from flows.schedule import POOL, schedule
from gemel.core.errors import GemelError

ROOT = Path(__file__).parents[2]


def test_server_elsewhere_that_does_not_answer_is_named() -> None:
    with pytest.raises(
        GemelError, match=r"http://192\.0\.2\.1/api: no Prefect server answers there; start it, or unset"
    ):
        schedule(ROOT, "http://192.0.2.1/api")


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """prefect.yaml on the tests' server, which other tests expect to have no deployment; the worker is left out."""
    run, api = subprocess.run, PREFECT_API_URL.value()
    assert api is not None

    def without_worker(command: list[str], **options: object) -> object:
        return None if "worker" in command else run(command, **options)

    monkeypatch.setenv("PREFECT_API_URL", api)
    monkeypatch.setattr("flows.schedule.subprocess.run", without_worker)
    schedule(ROOT, api)
    yield
    with get_client(sync_client=True) as client:
        for each in client.read_deployments():
            client.delete_deployment(each.id)


@pytest.mark.usefixtures("deployed")
def test_deployments_have_their_schedule_and_run_one_at_a_time() -> None:
    with get_client(sync_client=True) as client:
        found = {each.name: each for each in client.read_deployments() if each.work_pool_name == POOL}
    assert set(found) == {"retrain", "monitor"}
    for each in found.values():
        assert each.schedules[0].schedule.timezone == "Etc/UTC"
        assert each.global_concurrency_limit is not None
        assert each.global_concurrency_limit.limit == 1
        assert each.concurrency_options is not None
        assert each.concurrency_options.collision_strategy == "CANCEL_NEW"


@pytest.mark.usefixtures("deployed")
def test_deployed_flow_can_be_loaded_where_a_worker_runs_it() -> None:
    code = "from prefect.flows import load_flow_from_entrypoint as load; print(load('flows/retrain.py:retrain').name)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": "."}, capture_output=True, text=True
    )
    assert found.stdout.strip().endswith("retrain"), found.stderr
