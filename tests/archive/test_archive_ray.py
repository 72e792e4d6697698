"""On Ray the same links as in one process; without it, the error says what to install."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from archive.archived import write_archive

from gemel.archive import ray_lanes
from gemel.archive.lanes import LaneDiedError
from gemel.archive.linking import LINKS, link_archive, prepare
from gemel.archive.ray_lanes import RayLane, shares
from gemel.archive.settings import ArchiveSettings
from gemel.core.errors import ConfigError, GemelError

ON_RAY = ArchiveSettings(shard_posts=3, device="cpu", scale_out="ray", processes=1)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """One Ray for the tests of this file; it takes seconds to start."""
    found = pytest.importorskip("ray", reason="Ray is not installed: pip install 'gemel[ray]'")
    ray_lanes._ray()
    found.init(include_dashboard=False, log_to_driver=False, num_cpus=2)
    yield found
    found.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_links_are_those_of_one_process(tmp_path: Path, tiny_release: Path) -> None:
    source, here = write_archive(tmp_path / "in"), ON_RAY.model_copy(update={"scale_out": "none"})
    for name, settings in (("ray", ON_RAY), ("here", here)):
        link_archive(source, tmp_path / name, tiny_release, settings=settings)
    mine, others = (pl.read_parquet(tmp_path / name / LINKS / "*.parquet") for name in ("ray", "here"))
    assert mine["entity_id"].equals(others["entity_id"])


@pytest.mark.slow
def test_actor_that_is_killed_is_a_lane_that_died(ray: Any, tmp_path: Path, tiny_release: Path) -> None:
    job = prepare(write_archive(tmp_path / "in"), tmp_path / "out", tiny_release, None, ON_RAY).job
    lane = RayLane(ray, job, {"num_cpus": 1})
    lane.close()
    with pytest.raises(LaneDiedError, match="the worker's actor died"):
        lane.link(0)


@pytest.mark.slow
def test_actor_without_its_release_says_so(ray: Any, tmp_path: Path, tiny_release: Path) -> None:
    job = prepare(write_archive(tmp_path / "in"), tmp_path / "out", tiny_release, None, ON_RAY).job
    with pytest.raises(GemelError, match=r"absent: no manifest.json, so it was never finished"):
        RayLane(ray, replace(job, release=tmp_path / "absent"), {"num_cpus": 1})


def test_missing_ray_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"scale_out is ray, but Ray isn't installed: pip install 'gemel\[ray\]'"):
        ray_lanes._ray()


@pytest.mark.parametrize(
    ("resources", "device", "wanted"),
    [
        ({"CPU": 2.0}, "cpu", (1, {"num_cpus": 2})),
        ({"CPU": 64.0}, "cpu", (16, {"num_cpus": 4})),
        ({"CPU": 64.0, "GPU": 8.0}, "cuda", (8, {"num_gpus": 1, "num_cpus": 4})),
    ],
)
def test_an_actor_has_a_card_or_a_few_cores(resources: dict[str, float], device: str, wanted: Any) -> None:
    assert shares(resources, device) == wanted
