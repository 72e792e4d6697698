"""Hostile images: each is decoded or refused with an ImageError; none ends the process, hangs it or fills its memory.

The sample's images and their encodings in all formats are damaged from a fixed seed; bombs and oddities are made by
hand. All are decoded in a child process. If it dies or hangs at an image, that image counts as a crash and a new child
goes on behind it. Growth of memory is that of the last child, from after its warm-up to its end.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from benchmarks.hostile_images import LARGE_ODDITIES, MIB, ODDITIES, encodings, mutated
from benchmarks.output import show
from benchmarks.processes import peak_bytes, resident_bytes
from gemel.core.errors import ImageError
from gemel.core.images import decode_image

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample" / "images"
# The sample's images are alike; a few of each kind of damage reach the same code.
PICTURES = 20
WARM_UP = 200
HANG_S = 60
BY_HAND = ODDITIES | LARGE_ODDITIES


@dataclass(frozen=True)
class Outcome:
    """What became of an image. refused: the error's words, None if it was decoded. crashed: it should be neither."""

    name: str
    refused: str | None = None
    seconds: float = 0.0
    crashed: bool = False


@dataclass(frozen=True)
class Report:
    """What the benchmark found. unexpected: oddities that were read or refused where the other was due."""

    tried: int
    decoded: int
    rejected: int
    crashes: int
    oddities: int
    unexpected: int
    growth_mib: float
    peak_mib: float
    slowest_s: float
    slowest: str
    seconds: float
    pillow: str


def hostile_images(mutations: int) -> dict[str, Callable[[], bytes]]:
    """Names and makers of the images, the same in each process."""
    paths = sorted(SAMPLE.iterdir())[:PICTURES]
    images = [path.read_bytes() for path in paths]
    for path in paths[: PICTURES // 4]:
        with Image.open(path) as picture:
            images += encodings(picture)

    def mutation(number: int) -> bytes:
        return mutated(np.random.default_rng([0, number]), images)

    makers = {f"mutation {number}": partial(mutation, number) for number in range(mutations)}
    return makers | {name: oddity.build for name, oddity in BY_HAND.items()}


def decode_all(results: Connection, mutations: int, first: int) -> None:
    """Decode the images from the first on, and send each outcome; then growth and peak of memory, in MiB."""
    # Pillow and libtiff say there what is wrong with each damaged file.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    images = list(hostile_images(mutations).items())[first:]
    for name, make in images[:WARM_UP]:
        results.send(decode(name, make()))
    before = resident_mib()
    for name, make in images[WARM_UP:]:
        results.send(decode(name, make()))
    results.send((resident_mib() - before, peak_bytes() / MIB))


def decode(name: str, data: bytes) -> Outcome:
    start = time.perf_counter()
    refused, crashed = None, False
    try:
        decode_image(data, name)
    except ImageError as error:
        refused = str(error)
    except BaseException as error:
        refused, crashed = f"{type(error).__name__}: {error}", True
    return Outcome(name, refused, time.perf_counter() - start, crashed)


def resident_mib() -> float:
    gc.collect()
    return resident_bytes() / MIB


def watch(mutations: int) -> tuple[list[Outcome], float, float]:
    """Run children until all images are through. Returns: the outcomes, growth and peak of the last child's memory."""
    names = list(hostile_images(mutations))
    outcomes: list[Outcome] = []
    spawning = multiprocessing.get_context("spawn")
    while True:
        receiver, sender = spawning.Pipe(duplex=False)
        child = spawning.Process(target=decode_all, args=(sender, mutations, len(outcomes)))
        child.start()
        sender.close()
        try:
            while receiver.poll(HANG_S):
                if not isinstance(found := receiver.recv(), Outcome):
                    return outcomes, *found
                outcomes.append(found)
            ending = "hangs"
        except EOFError:
            ending = "died"
        finally:
            child.kill()
            child.join()
        if len(outcomes) == len(names):
            raise RuntimeError("the child ended without its figures of memory")
        outcomes.append(Outcome(names[len(outcomes)], ending, crashed=True))


def unexpected(outcome: Outcome) -> bool:
    wanted = BY_HAND[outcome.name].refused
    return outcome.refused is not None if wanted is None else wanted not in (outcome.refused or "")


def measure(mutations: int) -> Report:
    """Decode all images and sum it up."""
    start = time.perf_counter()
    outcomes, growth, peak = watch(mutations)
    for outcome in outcomes:
        if outcome.crashed or (outcome.name in BY_HAND and unexpected(outcome)):
            print(outcome)
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    return Report(
        tried=len(outcomes),
        decoded=sum(outcome.refused is None for outcome in outcomes),
        rejected=sum(outcome.refused is not None and not outcome.crashed for outcome in outcomes),
        crashes=sum(outcome.crashed for outcome in outcomes),
        oddities=len(BY_HAND),
        unexpected=sum(unexpected(outcome) for outcome in outcomes if outcome.name in BY_HAND),
        growth_mib=growth,
        peak_mib=peak,
        slowest_s=slowest.seconds,
        slowest=slowest.name,
        seconds=time.perf_counter() - start,
        pillow=PIL.__version__,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 mutations instead of 10,000")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    settings = parser.parse_args()
    report = asdict(measure(1_000 if settings.quick else 10_000))
    show(report, "hostile images", as_json=settings.json)


if __name__ == "__main__":
    main()
