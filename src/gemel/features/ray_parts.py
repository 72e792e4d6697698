"""Parts written on a Ray cluster: the same unit of work as on one machine, by actors that load the encoder once.

All nodes need this package, the project's folder under one path (images, encoder and `.gemel` in it) and, for one
result, the same library versions and kind of device.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gemel.core.errors import BackboneError, ConfigError, DataError, GemelError
from gemel.core.image_files import ImageFiles
from gemel.features.encoder import load_encoder
from gemel.features.loading import Wanted
from gemel.features.parts import PART_IMAGES, write_parts

# Long enough that the decoding processes of an actor are worth their start.
TASK_IMAGES = 16 * PART_IMAGES
CPUS_PER_ACTOR = 4


@dataclass(frozen=True)
class ActorSettings:
    """What an actor needs.

    project: folder that paths are relative to. fingerprint: that its encoder must have. threads: of torch, as where the
    run began: Ray gives an actor as many as it holds cores, and the last digits of a vector may depend on them.
    """

    project: Path
    model: str
    pretrained: str | None
    device: str
    fingerprint: str
    threads: int
    files: ImageFiles
    folder: Path
    batch_size: int
    workers: int


class PartWriter:
    """An actor. An error is part of its answer: raised, it would arrive wrapped, or be tried again."""

    def __init__(self, settings: ActorSettings) -> None:
        os.chdir(settings.project)
        torch.set_num_threads(settings.threads)
        self._settings, self._problem = settings, ""
        try:
            self._encoder = load_encoder(settings.model, settings.pretrained, settings.device)
            if self._encoder.fingerprint != settings.fingerprint:
                raise BackboneError(
                    f"{settings.model}: other weights on {os.uname().nodename} than where the run began"
                )
        except GemelError as error:
            self._problem = str(error)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """row: sha256 and name of images. Returns: images (their number), parts (paths) and problem ("" if none)."""
        images = [Wanted(*pair) for pair in zip(row["sha256"], row["name"], strict=True)]
        parts: list[str] = []
        problem = self._problem
        if not problem:
            try:
                parts += (str(path) for path in self._write(images))
            except GemelError as error:
                problem = str(error)
        return {"images": len(images), "parts": parts, "problem": problem}

    def _write(self, images: Sequence[Wanted]) -> Iterator[Path]:
        own = self._settings
        return write_parts(images, own.files, self._encoder, own.folder, batch_size=own.batch_size, workers=own.workers)


def write_parts_on_ray(
    images: Sequence[Wanted], settings: ActorSettings, advance: Callable[[int], object] = lambda _: None
) -> Iterator[Path]:
    """Encode images on the cluster of RAY_ADDRESS, or on a fresh one on this machine. As write_parts.

    Raises: ConfigError if Ray isn't installed; DataError with the first actor's error.
    """
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init(include_dashboard=False, log_to_driver=False)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = [_row(images[start : start + TASK_IMAGES]) for start in range(0, len(images), TASK_IMAGES)]
        tasks = ray.data.from_items(rows, override_num_blocks=len(rows))
        actors, share = _shares(ray.cluster_resources(), settings.device)
        pool = ray.data.ActorPoolStrategy(size=actors)
        for answer in tasks.map(PartWriter, fn_constructor_args=(settings,), compute=pool, **share).iter_rows():
            if answer["problem"]:
                raise DataError(answer["problem"])
            advance(answer["images"])
            yield from map(Path, answer["parts"])
    finally:
        if ours:
            ray.shutdown()


def _ray() -> Any:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError("runtime.scale_out is ray, but Ray isn't installed: pip install 'gemel[ray]'") from error
    return ray


def _row(images: Sequence[Wanted]) -> dict[str, list[str]]:
    return {"sha256": [image.sha256 for image in images], "name": [image.name for image in images]}


def _shares(resources: dict[str, float], device: str) -> tuple[int, dict[str, int]]:
    """An actor a card; without cards, one for each few cores. Returns: number of actors, and what each holds."""
    # One core is left for what Ray Data itself runs: an actor that holds them all can wait for it for ever.
    cores = max(1, int(resources["CPU"]) - 1)
    if device.startswith("cuda"):
        cards = max(1, int(resources.get("GPU", 0)))
        return cards, {"num_gpus": 1, "num_cpus": max(1, min(CPUS_PER_ACTOR, cores // cards))}
    return max(1, cores // CPUS_PER_ACTOR), {"num_cpus": min(CPUS_PER_ACTOR, cores)}
