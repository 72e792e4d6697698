"""Image features: speed against plain open_clip, the cost of a few new images, kills, and DVC's time for many files.

Speed: both turn the same image files into vectors of the same random-weight encoder, batch by batch, and take turns in
slices of images, so that whatever else the machine does hits both. The baseline is the loop of open_clip's README.
Increment: a store of pictures, then one in a hundred more; times of write_features alone. Kills: a child process that
writes a store is killed at random points and started again, until it was killed often enough; its shards are compared
with an undisturbed run's. DVC: `dvc add` and `dvc status` of a folder of pictures in a repository of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image

from benchmarks.feature_stores import dvc_times, increment, kill_often, make_images, small_encoder
from benchmarks.output import show
from gemel.core.image_files import ImageFolder
from gemel.features.encoder import VisionEncoder
from gemel.features.parts import write_parts


@dataclass(frozen=True)
class Size:
    """How much of each.

    model, photographs, batch: of the race. pictures: of the increment, and about as many for DVC. killed_pictures: of a
    run that is killed.
    """

    model: str
    photographs: int
    batch: int
    pictures: int
    kills: int
    killed_pictures: int


FULL = Size("ViT-L-14", photographs=32, batch=8, pictures=20_000, kills=20, killed_pictures=2_000)
QUICK = Size("ViT-B-32", photographs=32, batch=8, pictures=400, kills=2, killed_pictures=200)
SLICES = 4


@dataclass(frozen=True)
class Report:
    """What the benchmark found.

    ratio: ours / baseline in images per second; work_ratio: the same per second of this process's processor time, as
    slices of few images start no workers. ceiling_share: ours / the encoder's speed on tensors that lie on its
    device. increment_share: time for one new image in a hundred / time for all. nothing_new_s: the part of it that no
    new image causes. hash_equal: whether every run that was killed ended in the undisturbed one's bytes.
    """

    images_per_s: float
    baseline_images_per_s: float
    ratio: float
    work_ratio: float
    ceiling_share: float
    largest_difference: float
    model: str
    photographs: int
    pictures: int
    all_s: float
    increment_s: float
    nothing_new_s: float
    increment_share: float
    kills: int
    killed_runs: int
    hash_equal: bool
    dvc_add_s: float
    dvc_status_s: float
    workers: int
    device: str
    threads: int
    torch: str
    open_clip: str


def random_encoder(model: str, device: str) -> VisionEncoder:
    """An open_clip image tower with random weights and the preprocessing of the published ones."""
    torch.manual_seed(0)
    clip, _, preprocess = open_clip.create_model_and_transforms(model, pretrained=None, device=device)
    width, clip.visual.proj = clip.visual.proj.shape[0], None
    return VisionEncoder(f"{model} of random weights", width, clip.visual.eval().requires_grad_(False), preprocess)


def plain(paths: Iterable[Path], encoder: VisionEncoder, batch: int) -> np.ndarray:
    """The baseline: open, preprocess, stack, forward."""
    paths, vectors = list(paths), []
    for start in range(0, len(paths), batch):
        pixels = torch.stack([encoder.preprocess(Image.open(path)) for path in paths[start : start + batch]])
        with torch.inference_mode():
            vectors.append(encoder.tower(pixels.to(encoder.device)).float().cpu().numpy())
    return np.concatenate(vectors)


def race(size: Size, root: Path, device: str, workers: int) -> dict[str, float]:
    """Ours against the baseline, slice by slice, and the encoder alone."""
    encoder, files = random_encoder(size.model, device), ImageFolder(root / "photographs")
    images = sorted(make_images(files.folder, size.photographs, (640, 480), "{:06d}.jpg"))
    write = partial(write_parts, files=files, encoder=encoder, batch_size=size.batch, workers=workers)
    list(write(images[: size.batch], folder=root / "warm-up"))
    seconds, differences = {"ours": 0.0, "baseline": 0.0}, [0.0]
    work = dict(seconds)
    per_slice = len(images) // SLICES
    for number in range(SLICES):
        some = images[number * per_slice : (number + 1) * per_slice]
        order = ("ours", "baseline") if number % 2 else ("baseline", "ours")
        for side in order:
            start, work_start = time.perf_counter(), time.process_time()
            if side == "baseline":
                theirs = plain((files.folder / image.name for image in some), encoder, size.batch)
            else:
                parts = list(write(some, folder=root / f"race {number}"))
            seconds[side] += time.perf_counter() - start
            work[side] += time.process_time() - work_start
        ours = np.concatenate([np.load(part)["vector"] for part in parts])
        differences.append(float(np.abs(ours - theirs).max()))
    count = per_slice * SLICES
    ceiling = encoder_alone(encoder, files.folder / images[0].name, size.batch, batches=4)
    return {
        "images_per_s": count / seconds["ours"],
        "baseline_images_per_s": count / seconds["baseline"],
        "ratio": seconds["baseline"] / seconds["ours"],
        "work_ratio": work["baseline"] / work["ours"],
        "ceiling_share": count / seconds["ours"] / ceiling,
        "largest_difference": max(differences),
    }


def encoder_alone(encoder: VisionEncoder, image: Path, batch: int, batches: int) -> float:
    """Images per second on tensors that lie on the encoder's device."""
    pixels = torch.stack([encoder.preprocess(Image.open(image))] * batch).to(encoder.device)
    encoder.encode_pixels(pixels)
    start = time.perf_counter()
    for _ in range(batches):
        encoder.encode_pixels(pixels)
    return batch * batches / (time.perf_counter() - start)


def measure(size: Size, device: str, workers: int) -> Report:
    """All measurements, in a folder of their own."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        fair = race(size, root, device, workers)
        model = small_encoder(root / "small")
        images = make_images(root / "pictures", size.pictures + size.pictures // 100, (64, 64), "{:06d}.png")
        more = increment(root, images, size.pictures, model, device, workers)
        killed = kill_often(root, images[: size.killed_pictures], model, size.kills)
        return Report(
            **fair,
            **more,
            **killed,
            **dvc_times(root),
            model=size.model,
            photographs=size.photographs,
            pictures=size.pictures,
            workers=workers,
            device=torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
            threads=torch.get_num_threads(),
            torch=torch.__version__,
            open_clip=open_clip.__version__,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ViT-B/32, 400 pictures and 2 kills")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--race-only", action="store_true", help="only the comparison with open_clip")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--photographs", type=int, help="another number of images for the race")
    parser.add_argument("--batch", type=int, help="another batch for the race")
    parser.add_argument("--workers", type=int, default=min(8, os.cpu_count() or 1))
    settings = parser.parse_args()
    changes = {name: getattr(settings, name) for name in ("photographs", "batch") if getattr(settings, name)}
    size = Size(**(asdict(QUICK if settings.quick else FULL) | changes))
    if settings.race_only:
        with tempfile.TemporaryDirectory() as name:
            show(race(size, Path(name), settings.device, settings.workers), "image features", as_json=settings.json)
        return
    report = asdict(measure(size, settings.device, settings.workers))
    show(report, "image features", as_json=settings.json)


if __name__ == "__main__":
    main()
