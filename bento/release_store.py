"""The release in BentoML's model store: imported once for each manifest hash, then loaded from there."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import bentoml
from bentoml import Tag
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml.exceptions import BentoMLException, NotFound
from bentoml.models import ModelContext
from filelock import FileLock

from gemel.core.artifacts import MANIFEST, artifact_hash
from gemel.core.drafts import whole_file
from gemel.core.errors import ArtifactError
from gemel.registry.pointer import champion_link, check_bundle, is_promoted
from gemel.release_facts import read_facts
from gemel.stages import RELEASE

MODEL = "gemel"
RELEASE_VARIABLE = "GEMEL_RELEASE"
VERSION_DIGITS = 16


def find_release(root: Path) -> Path:
    """The folder of the release to serve, in the model store.

    It is that of GEMEL_RELEASE, else the project's champion, else its last run's, imported if the store doesn't have
    it. If the project has none, it is the store's latest. root: the project's root.
    Raises: ArtifactError if there is no release, or it is damaged.
    """
    named = os.environ.get(RELEASE_VARIABLE)
    place = release_folder(root)
    # Once: the pointer may move while the files behind it are read.
    release = place.resolve()
    # Workers start at the same time, and only one may import.
    with FileLock(Path(BentoMLContainer.bentoml_home.get()) / f"{MODEL}.lock"):
        if (release / MANIFEST).is_file():
            if is_promoted(release):
                check_bundle(release)
            return _imported(release)
        if named:
            raise ArtifactError(f"{place}: no release there, though {RELEASE_VARIABLE} names it; correct or unset it")
        if place == champion_link(root):
            raise ArtifactError(
                f"{place}: the bundle of the champion, {release.name}, is gone; `gemel release list` shows the "
                "versions, and `gemel release promote VERSION` brings it back"
            )
        return _latest(place)


def release_folder(root: Path) -> Path:
    """Where the release to serve is looked for: the folder that GEMEL_RELEASE names, else the champion's, else the
    last run's. The champion's is a link, which another promotion turns elsewhere."""
    if named := os.environ.get(RELEASE_VARIABLE):
        return Path(named)
    champion = champion_link(root)
    return champion if champion.is_symlink() else root / RELEASE


def remember_served(root: Path, folder: Path) -> None:
    """Note which release of the store answers now, for workers that come back. folder: of the store."""
    with whole_file(_note(root)) as draft:
        draft.write_text(folder.name, encoding="utf-8")


def served_last(root: Path) -> Path | None:
    """The folder, in the store, of the release that answered last; None if there is none any more."""
    try:
        return _stored(Tag(MODEL, _note(root).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _note(root: Path) -> Path:
    # Services that look for releases in different places may share a store.
    place = hashlib.sha256(str(release_folder(root).absolute()).encode()).hexdigest()[:VERSION_DIGITS]
    return Path(BentoMLContainer.bentoml_home.get()) / f"{MODEL}-{place}.served"


def _imported(release: Path) -> Path:
    facts = read_facts(release, check_hashes=True)
    digest = artifact_hash(release)
    tag = Tag(MODEL, digest[:VERSION_DIGITS])
    found = _stored(tag)
    if found is not None:
        return found
    accuracy = {split: figures["mean"] for split, figures in facts["accuracy"].items() if figures}
    about = {"dataset": facts["dataset"], "format": facts["format"], "backbone": facts["backbone"]}
    rounded = {f"accuracy_{split}": f"{mean:.3f}" for split, mean in accuracy.items()}
    labels = {what: str(said) for what, said in about.items()} | rounded
    metadata = about | {"gemel": facts["gemel"], "accuracy": accuracy, "manifest_sha256": digest}
    with bentoml.models.create(tag, labels=labels, metadata=metadata, context=_context()) as model:
        shutil.copytree(release, model.path, dirs_exist_ok=True)
    return Path(bentoml.models.get(tag).path)


def _stored(tag: Tag) -> Path | None:
    """The folder of a stored release; one that an interrupted import left incomplete is removed."""
    try:
        folder = Path(bentoml.models.get(tag).path)
        read_facts(folder, check_hashes=True)
    except NotFound:
        return None
    except (BentoMLException, ArtifactError):
        bentoml.models.delete(tag)
        return None
    return folder


def _latest(release: Path) -> Path:
    try:
        return Path(bentoml.models.get(f"{MODEL}:latest").path)
    except NotFound:
        raise ArtifactError(
            f"{release}: no release there, and none in BentoML's model store; run `make repro` (or `dvc pull`), or get "
            "one with `gemel release pull`"
        ) from None


def _context() -> Any:
    import torch

    # BentoML writes the version as YAML, which does not know torch's own class of strings.
    return ModelContext(framework_name="torch", framework_versions={"torch": str(torch.__version__)})
