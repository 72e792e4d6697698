"""Objects of DVC's cache that a disk damaged: found by their names, removed, fetched again from the remote."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gemel.registry.stored import file_md5
from gemel.registry.verification import verify_cache

ROOT = Path(__file__).resolve().parents[1]
DATA = "data.dvc"
# A damaged list of files hides the files: a second look after the fetch. A third would find nothing.
ROUNDS = 2


def cache(count: int, seed: int = 0) -> dict[str, object]:
    """Damage so many objects of a clone's cache: half by a bit, half cut short; times and permissions stay.

    Returns: cache_damaged; cache_mended_by_dvc_alone: those that `dvc fetch` brings back by itself; cache_found and
    cache_mended: those that are found, and that are whole at the end; cache_objects and cache_verify_s: what one look
    at all costs.
    """
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "clone"
        subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(root)], check=True)
        _fetch(root)
        objects = sorted((root / ".dvc/cache/files/md5").glob("*/*"))
        damaged = rng.sample(objects, count)
        for number, path in enumerate(damaged):
            _damage(path, rng, cut=number % 2 == 1)
        _fetch(root)
        alone = sum(map(_is_whole, damaged))
        found: set[str] = set()
        start, seconds = time.perf_counter(), []
        for _ in range(ROUNDS):
            found |= set(verify_cache(root).damaged)
            seconds.append(time.perf_counter() - start)
            _fetch(root)
        mended = sum(map(_is_whole, damaged))
    return {
        "cache_objects": len(objects),
        "cache_damaged": count,
        "cache_mended_by_dvc_alone": alone,
        "cache_found": len(found & {path.parent.name + path.name for path in damaged}),
        "cache_mended": mended,
        "cache_verify_s": seconds[0],
    }


def _fetch(root: Path) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "fetch", "-q", DATA], cwd=root, check=True)


def _damage(path: Path, rng: random.Random, *, cut: bool) -> None:
    before, content = path.stat(), path.read_bytes()
    bit = rng.randrange(8 * len(content))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    path.chmod(0o644)
    path.write_bytes(content[: bit // 8] if cut else changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    path.chmod(before.st_mode)


def _is_whole(path: Path) -> bool:
    return path.is_file() and file_md5(path) == (path.parent.name + path.name).removesuffix(".dir")
