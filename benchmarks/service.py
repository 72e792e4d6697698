"""The service as its callers meet it: fast, right, not to be broken, not to be talked into fetching, never down.

Each part plays against `bentoml serve` on the sample's release, in processes of its own with a home, a port and
settings of their own. load: latency, throughput, more than it can do, batches against none. soak: hours in minutes.
malformed: requests that are none. limits: just within and one beyond. urls: addresses that lead to the machine itself.
swap: releases exchanged under load. kill: `kill -9`, SIGTERM. Every link that is answered is compared with what the
library's linker answers for that post. With --shape the load alone, with a random LLM of that shape, on a GPU where
there is one; its answers are not compared. Needs `make repro`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import bentoml
import torch

from benchmarks.linking_models import SHAPES
from benchmarks.output import show
from benchmarks.parts import parts_parser
from benchmarks.service_kill import kill
from benchmarks.service_limits import limits
from benchmarks.service_load import capacity, load
from benchmarks.service_malformed import malformed
from benchmarks.service_posts import Shot, make_shots, sample_posts
from benchmarks.service_process import ROOT, Served
from benchmarks.service_shapes import shaped
from benchmarks.service_soak import WARM_UP, soak
from benchmarks.service_swap import Releases, put, swap
from benchmarks.service_urls import HOSTS, urls
from gemel.core.settings import RuntimeSettings
from gemel.stages import RELEASE

# Those that count over all parts.
SUMS = ("errors_5xx", "wrong_answers")
UPLOAD_S = 5.0


@dataclass(frozen=True)
class Size:
    """posts: asked about. load_s: for each figure of load. malformed: requests. swaps: of releases. warm_up: requests
    of the soak before memory is looked at."""

    posts: int
    load_s: float
    malformed: int
    swaps: int
    soak_s: float
    warm_up: int


QUICK = Size(posts=40, load_s=2.0, malformed=500, swaps=2, soak_s=20.0, warm_up=200)


@dataclass(frozen=True)
class Stage:
    """What the parts play against. release: the folder whose release is served. served: with the defaults but a short
    time for uploads. other: one that links one mention at a time and may fetch from names of loopback."""

    size: Size
    release: Path
    releases: Releases
    served: Served
    other: Served

    @property
    def shots(self) -> list[Shot]:
        """A form for each post."""
        return self.releases.shots


async def _load(stage: Stage) -> dict[str, object]:
    return await load(stage.served, stage.other, stage.shots, stage.size.load_s)


async def _soak(stage: Stage) -> dict[str, object]:
    most = await capacity(stage.served, stage.shots, stage.size.load_s)
    return await soak(stage.served, stage.shots, most, stage.size.soak_s, stage.size.warm_up)


async def _malformed(stage: Stage) -> dict[str, object]:
    return await malformed(stage.served, stage.shots, stage.size.malformed, UPLOAD_S)


async def _limits(stage: Stage) -> dict[str, object]:
    return await limits(stage.served, stage.release)


async def _urls(stage: Stage) -> dict[str, object]:
    return await urls(stage.served, stage.other)


async def _swap(stage: Stage) -> dict[str, object]:
    return await swap(stage.served, stage.release, stage.releases, stage.size.swaps)


async def _kill(stage: Stage) -> dict[str, object]:
    return await kill(stage.served, stage.shots)


# In an order in which each finds the service as it needs it: the last one ends it.
PARTS: dict[str, Callable[[Stage], Awaitable[dict[str, object]]]] = {
    "load": _load,
    "limits": _limits,
    "urls": _urls,
    "malformed": _malformed,
    "soak": _soak,
    "swap": _swap,
    "kill": _kill,
}


def measure(size: Size, parts: list[str]) -> dict[str, object]:
    """Play the parts and sum up."""
    report: dict[str, object] = {"versions": f"bentoml {bentoml.__version__}, torch {torch.__version__}"}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        put(ROOT / RELEASE, folder / "release")
        common = {"upload_seconds": UPLOAD_S, "look_seconds": 0.5}
        served = Served(folder / "served", folder / "release", **common)
        stack.callback(served.stop)
        other = Served(folder / "other", ROOT / RELEASE, batch_mentions=1, image_hosts=HOSTS, **common)
        stack.callback(other.stop)
        releases = Releases(folder / "releases", ROOT / RELEASE, sample_posts(size.posts))
        stage = Stage(size, folder / "release", releases, served.ready(), other.ready())
        for part in (part for part in PARTS if part in parts):
            found = asyncio.run(PARTS[part](stage))
            report |= found | {key: int(str(report.get(key, 0))) + int(str(found.get(key, 0))) for key in SUMS}
    return report


def measure_shape(size: Size, shape: str) -> dict[str, object]:
    """The load alone, with a random LLM of a shape."""
    facts = {"shape": shape, "device": RuntimeSettings().torch_device, "torch": torch.__version__}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        release = shaped(ROOT / RELEASE, shape, Path(name))
        served = Served(Path(name) / "served", release)
        stack.callback(served.stop)
        single = Served(Path(name) / "single", release, batch_mentions=1)
        stack.callback(single.stop)
        shots = make_shots(sample_posts(size.posts), {})
        return facts | asyncio.run(load(served.ready(), single.ready(), shots, size.load_s))


def parse() -> argparse.Namespace:
    parser = parts_parser(__doc__, PARTS, "all parts in little more than a minute")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the soak; --quick has 20 seconds")
    parser.add_argument("--shape", choices=SHAPES, help="the load alone, with a random LLM of this shape")
    return parser.parse_args()


def main() -> None:
    settings = parse()
    full = Size(200, 20.0, 10_000, 10, 60 * settings.minutes, WARM_UP)
    size = QUICK if settings.quick else full
    report = measure_shape(size, settings.shape) if settings.shape else measure(size, settings.parts or list(PARTS))
    show(report, "the service", as_json=settings.json)


if __name__ == "__main__":
    main()
