"""What happens to feature stores over time: new images, kills in the middle, and DVC's part in it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image

from gemel.core.artifacts import file_sha256
from gemel.core.image_files import ImageFolder
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.loading import Wanted
from gemel.features.parts import write_parts
from gemel.features.store import write_features

# A ViT of the size of the sample's: small enough that all that isn't the encoder shows.
SMALL = {"image_size": 64, "layers": 4, "width": 128, "patch_size": 8, "head_width": 32}
TEXT = {"context_length": 4, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}
BATCH, MOST_TRIES = 64, 200


def small_encoder(folder: Path) -> str:
    """Write a small open_clip model. Returns: the name to load it by."""
    torch.manual_seed(0)
    folder.mkdir()
    model = {"embed_dim": 8, "vision_cfg": SMALL, "text_cfg": TEXT}
    config = {"model_cfg": model, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    weights = open_clip.CLIP(8, SMALL, TEXT).state_dict()
    torch.save(weights, folder / "open_clip_pytorch_model.bin")
    return f"local-dir:{folder}"


def make_images(folder: Path, count: int, size: tuple[int, int], name: str, first: int = 0) -> list[Wanted]:
    """Write pictures of soft noise, each its own. size: width and height in pixels."""
    folder.mkdir(exist_ok=True)
    images = []
    for number in range(first, first + count):
        rough = np.random.default_rng([1, number]).integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        path = folder / name.format(number)
        Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC).save(path)
        images.append(Wanted(file_sha256(path), path.name))
    return images


def write_store(
    folder: Path, images: Sequence[Wanted], files: ImageFolder, encoder: VisionEncoder, parts: Path, workers: int
) -> float:
    """Write a store beside its parts. Returns: seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    encode = partial(write_parts, files=files, encoder=encoder, folder=parts, batch_size=BATCH, workers=workers)
    start = time.perf_counter()
    write_features(folder, {image.sha256: image.name for image in images}, lambda some: list(encode(some)), parts)
    return time.perf_counter() - start


def increment(
    root: Path, images: list[Wanted], pictures: int, model: str, device: str, workers: int
) -> dict[str, float]:
    """The first pictures, then all, then all again."""
    encoder, files = load_encoder(model, device=device), ImageFolder(root / "pictures")
    write = partial(write_store, root / "store", files=files, encoder=encoder, parts=root / "parts", workers=workers)
    every = write(images[:pictures])
    more, nothing = write(images), write(images)
    return {"all_s": every, "increment_s": more, "nothing_new_s": nothing, "increment_share": more / every}


def write_store_in_child(ready: Event, root: Path, images: list[Wanted], model: str) -> None:
    encoder = load_encoder(model)
    torch.set_num_threads(1)
    ready.set()
    write_store(root / "killed", images, ImageFolder(root / "pictures"), encoder, root / "killed parts", workers=0)


def kill_often(root: Path, images: list[Wanted], model: str, wanted: int) -> dict[str, int | bool]:
    """Kill a run again and again; what survives to its end is compared, and the next one starts from nothing."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["gemel.features.store"])
    files = ImageFolder(root / "pictures")
    lasts = write_store(root / "whole", images, files, load_encoder(model), root / "whole parts", workers=0)
    whole, chance = folder_hash(root / "whole"), random.Random(0)
    kills = runs = 0
    equal, finished = True, False
    for _ in range(MOST_TRIES):
        if kills >= wanted and finished:
            break
        ready = context.Event()
        child = context.Process(target=write_store_in_child, args=(ready, root, images, model))
        child.start()
        ready.wait()
        child.join(chance.uniform(0, lasts) if kills < wanted else None)
        child.kill()
        child.join()
        if child.exitcode not in (0, -signal.SIGKILL):
            raise RuntimeError(f"a run that should be killed ended by itself with exit code {child.exitcode}")
        finished = child.exitcode == 0
        kills += not finished
        if finished:
            runs += 1
            equal &= folder_hash(root / "killed") == whole
            shutil.rmtree(root / "killed parts")
    return {"kills": kills, "killed_runs": runs, "hash_equal": equal}


def folder_hash(folder: Path) -> str:
    return hashlib.sha256("".join(file_sha256(path) for path in sorted(folder.iterdir())).encode()).hexdigest()


def dvc_times(root: Path) -> dict[str, float]:
    """Seconds of `dvc add` and of the `dvc status` after it, for the pictures."""
    paths = {"DVC_NO_ANALYTICS": "true", "DVC_SITE_CACHE_DIR": str(root / "site")}
    dvc = [sys.executable, "-m", "dvc"]
    run = partial(subprocess.run, cwd=root, env=os.environ | paths, check=True, stdout=subprocess.DEVNULL)
    seconds = []
    for command in (["git", "init", "-q"], [*dvc, "init", "-q"], [*dvc, "add", "-q", "pictures"], [*dvc, "status"]):
        start = time.perf_counter()
        run(command)
        seconds.append(time.perf_counter() - start)
    return {"dvc_add_s": seconds[2], "dvc_status_s": seconds[3]}
