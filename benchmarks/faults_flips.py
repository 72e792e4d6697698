"""Single bits that flip on the disk, spread over every kind of artifact: each is found before it is served, or not.

What is asked is what stands between the damage and an answer: the check of all artifacts before a promotion, and the
service's import of the champion.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.registry.pointer import RELEASES, point, put_bundle
from gemel.registry.stored import LOCK
from gemel.registry.verification import verify_artifacts
from gemel.stages import RELEASE

ROOT = Path(__file__).resolve().parents[1]
PROMOTED = "promoted"
SERVED = "GEMEL_RELEASE"


def flips(count: int, seed: int = 0) -> dict[str, object]:
    """Flip so many bits, one at a time, each in a file of the next kind.

    Returns: flips, flips_found_share, missed (kind and file), by_kind (flips of each), and of the flips of the release
    that were not promoted the share that the service finds by itself.
    """
    rng, kinds, missed, alone = random.Random(seed), Counter[str](), [], []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        places = _copy(root)
        start = time.perf_counter()
        for number in range(count):
            kind = list(places)[number % len(places)]
            path = rng.choice(
                sorted(path for path in places[kind].rglob("*") if path.is_file() and path.stat().st_size)
            )
            whole = path.read_bytes()
            path.write_bytes(_flipped(whole, rng))
            kinds[kind] += 1
            if not _found(root, kind):
                missed.append(f"{kind}/{path.relative_to(places[kind])}")
            if kind == RELEASE.name:
                alone.append(_refused(root, root / RELEASE))
            path.write_bytes(whole)
        seconds = time.perf_counter() - start
    return {
        "flips": count,
        "flips_found_share": 1 - len(missed) / count,
        "missed": missed,
        "by_kind": sorted(kinds.items()),
        "unpromoted_found_by_service_share": sum(alone) / len(alone) if alone else None,
        "flips_s": seconds,
    }


def _copy(root: Path) -> dict[str, Path]:
    """A project with the artifacts of this one and a champion. Returns: a folder for each kind."""
    shutil.copytree(ROOT / "artifacts", root / "artifacts", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(ROOT / LOCK, root)
    bundle = put_bundle(root / RELEASE, root / RELEASES, artifact_hash(root / RELEASE))
    point(bundle.parent, bundle.name)
    if damaged := verify_artifacts(root):
        raise RuntimeError(f"the artifacts are not whole to begin with: {damaged[0]}")
    return {path.name: path for path in sorted((root / "artifacts").iterdir())} | {PROMOTED: bundle}


def _found(root: Path, kind: str) -> bool:
    return _refused(root) if kind == PROMOTED else bool(verify_artifacts(root))


def _refused(root: Path, named: Path | None = None) -> bool:
    """Whether the service refuses to import a release: the champion, or the named one."""
    os.environ["BENTOML_HOME"] = str(root / "bentoml")
    os.environ.pop(SERVED, None)
    if named is not None:
        os.environ[SERVED] = str(named)
    (root / "bentoml").mkdir(exist_ok=True)
    from bento.release_store import find_release

    try:
        find_release(root)
    except ArtifactError:
        return True
    return False


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    bit = rng.randrange(8 * len(changed))
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
