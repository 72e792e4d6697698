"""Bundles that were promoted, each in a folder named by its hash, and BentoML's copies of releases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from filelock import FileLock

from gemel.core.artifacts import MANIFEST, artifact_hash
from gemel.forgetting.artifacts import held_in_artifact, rewrite_artifact
from gemel.forgetting.places import Place
from gemel.forgetting.trace import Trace
from gemel.registry.pointer import RELEASES, point, pointed
from gemel.registry.rewritten import note_rewritten
from gemel.registry.versions import DIGITS

MODEL = "gemel"


def in_releases(root: Path, trace: Trace) -> Iterator[Place]:
    """The promoted bundles; each gets a new hash, and with it a new folder."""
    for folder in sorted((root / RELEASES).glob("*")):
        if folder.is_symlink() or not (folder / MANIFEST).is_file():
            continue
        if held := held_in_artifact(folder, trace):
            name = folder.relative_to(root).as_posix()
            yield Place(name, held, "rewritten under its new hash", partial(_exchange, folder, trace))


def _exchange(folder: Path, trace: Trace) -> None:
    """Write a bundle anew beside the old one, move the pointer if it led to that, then remove the old one.

    A kill between two of these leaves the pointer on a whole bundle, and the next run does them again.
    """
    releases = folder.parent
    made = releases / f".{folder.name}.forgetting"
    rewrite_artifact(folder, made, trace)
    target = releases / artifact_hash(made)[:DIGITS]
    if target.exists():
        shutil.rmtree(made)
    else:
        made.rename(target)
    note_rewritten(releases, folder.name, target.name)
    if pointed(releases) == folder.name:
        point(releases, target.name)
    shutil.rmtree(folder)


def in_model_store(root: Path, trace: Trace) -> Iterator[Place]:  # noqa: ARG001 (a place like the others)
    """Releases in BentoML's store: the service imports the rewritten one by itself."""
    models = store_folder() / "models" / MODEL
    for folder in sorted(models.glob("*")):
        if (folder / MANIFEST).is_file() and (held := held_in_artifact(folder, trace)):
            yield Place(f"BentoML's model {MODEL}:{folder.name}", held, "deleted", partial(_delete_model, folder.name))


def bentos_holding(trace: Trace) -> list[str]:
    """Tags of built bentos that carry a release with the posts."""
    bentos = store_folder() / "bentos" / MODEL
    return [
        f"{MODEL}:{folder.name}"
        for folder in sorted(bentos.glob("*"))
        if any(held_in_artifact(path.parent, trace) for path in folder.rglob(MANIFEST))
    ]


def store_folder() -> Path:
    """Where BentoML keeps models and bentos."""
    named = os.environ.get("BENTOML_HOME")
    return Path(named) if named else Path.home() / "bentoml"


def _delete_model(version: str) -> None:
    import bentoml

    # Workers that start import a release under the same lock.
    with FileLock(store_folder() / f"{MODEL}.lock"):
        bentoml.models.delete(f"{MODEL}:{version}")
