"""The release bundle: one folder with everything that a linker needs; the frozen models it names, or holds, too.

manifest.json            settings, ids and revisions of the frozen models, hashes of all files
README.md                the model card; bundles of format 1 have none
mapper.safetensors       the trained mapper
entities.parquet         the catalog; row i is name i of the trie
trie/                    the packed trie
corpus.parquet           the demonstrations
vectors.npy              their images' vectors, (images, vision_dim), float32
images.json              image SHA-256 of each row of vectors.npy
confidence.json          from the evidence of a search to the chance that its answer is right; older bundles have none
redirects.tsv            ids of entities that were merged, and the ids that they are now
backbone/                the frozen models, where they are embedded: llm, vision, sentences
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import polars as pl

from gemel.confidence.calibrator import CALIBRATOR, Calibrator, read_calibrator
from gemel.core.artifacts import MANIFEST
from gemel.core.config import parse_section
from gemel.core.errors import ArtifactError, GemelError
from gemel.core.settings import LinkerSettings
from gemel.entities.catalog import Catalog
from gemel.entities.trie import PackedTrie, read_trie, write_trie
from gemel.features.tower import Vectors
from gemel.frozen import LOCAL, FrozenModel, check_modules
from gemel.mapper.mapper import WEIGHTS
from gemel.posts.redirects import REDIRECTS, read_redirects, write_redirects
from gemel.release_facts import EMBED, models_of, read_facts
from gemel.tasks.linking.demonstrations import CORPUS, read_corpus

ENTITIES, TRIE, VECTORS, IMAGES = "entities.parquet", "trie", "vectors.npy", "images.json"
MODELS = "backbone"


# An exchange of bundles is two renames; seconds between looks.
_TRIES, _EXCHANGE_S = 5, 0.05


class Stamp(NamedTuple):
    """What tells one manifest file from any other that was in its place."""

    inode: int
    modified_ns: int
    changed_ns: int
    size: int


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. vectors: image SHA-256 -> vision vector of the demonstrations' images.

    calibrator: None in a bundle that was made without one. models: the frozen models that it was made with, by what
    they are for; none in a bundle of format 1. embedded: whether it holds them; its settings name them by absolute
    paths then.
    """

    settings: LinkerSettings
    tokenizer_fingerprint: str
    mapper: Path
    catalog: Catalog
    trie: PackedTrie
    demonstrations: pl.DataFrame
    vectors: Mapping[str, Vectors]
    calibrator: Calibrator | None = None
    models: Mapping[str, FrozenModel] = field(default_factory=dict)
    embedded: bool = False


@dataclass(frozen=True)
class Contents:
    """What a bundle is to hold beside its facts.

    vectors: image SHA-256 -> vision vector; those of images that no demonstration has are left out. calibrator: the
    folder that holds it; None for a bundle without one.
    """

    mapper: Path
    catalog: Catalog
    trie: PackedTrie
    demonstrations: pl.DataFrame
    vectors: Mapping[str, Vectors]
    calibrator: Path | None = None


def write_contents(folder: Path, contents: Contents) -> None:
    """Write all files of a bundle but its manifest into an existing folder."""
    shutil.copyfile(contents.mapper, folder / WEIGHTS)
    if contents.calibrator is not None:
        shutil.copyfile(contents.calibrator / CALIBRATOR, folder / CALIBRATOR)
    write_catalog(folder, contents.catalog, contents.trie)
    contents.demonstrations.write_parquet(folder / CORPUS)
    shown = contents.demonstrations["image_sha256"].drop_nulls().unique()
    write_vectors(folder, {sha256: contents.vectors[sha256] for sha256 in shown})


def write_catalog(folder: Path, catalog: Catalog, trie: PackedTrie) -> None:
    """Write the files of a bundle that say what can be linked to. trie: of the catalog's names, in their order."""
    catalog.write(folder / ENTITIES)
    write_redirects(folder / REDIRECTS, catalog.redirects)
    (folder / TRIE).mkdir()
    write_trie(trie, folder / TRIE)


def write_vectors(folder: Path, vectors: Mapping[str, Vectors]) -> None:
    """Write the demonstrations' image vectors in a fixed order."""
    order = sorted(vectors)
    np.save(
        folder / VECTORS, np.stack([vectors[sha256] for sha256 in order]) if order else np.zeros((0, 0), np.float32)
    )
    (folder / IMAGES).write_text(json.dumps(order) + "\n", encoding="utf-8")


def settings_facts(settings: LinkerSettings) -> dict[str, object]:
    """The settings as a manifest keeps them."""
    return asdict(settings)


def read_bundle(folder: Path) -> Bundle:
    """Open a bundle after checking every file against its hash.

    Raises: ArtifactError if it is absent, damaged or of another format.
    """
    facts = read_facts(folder, check_hashes=True)
    embedded = facts["backbone"] == EMBED
    settings = parse_section(facts["settings"], "settings", LinkerSettings, folder / MANIFEST)
    order: Sequence[str] = json.loads((folder / IMAGES).read_text(encoding="utf-8"))
    vectors = np.load(folder / VECTORS)
    if len(order) != len(vectors):
        raise ArtifactError(f"{folder}: {len(vectors)} vectors for {len(order)} images; run `dvc repro release`")
    return Bundle(
        settings=_inside(settings, folder) if embedded else settings,
        tokenizer_fingerprint=facts["tokenizer"],
        mapper=folder / WEIGHTS,
        catalog=Catalog.read(folder / ENTITIES, _read_redirects(folder)),
        trie=read_trie(folder / TRIE),
        demonstrations=read_corpus(folder),
        vectors=dict(zip(order, vectors, strict=True)),
        calibrator=read_calibrator(folder) if (folder / CALIBRATOR).is_file() else None,
        models=models_of(facts, str(folder)),
        embedded=embedded,
    )


def stamp_of(folder: Path) -> Stamp | None:
    """Which bundle lies in a folder, at the cost of one look at its manifest; None while there is none."""
    try:
        found = (folder / MANIFEST).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamp(found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


def read_whole(folder: Path) -> tuple[Bundle, Stamp]:
    """Open a bundle as read_bundle, though another may be taking its place: all comes from one of the two.

    Raises: ArtifactError as read_bundle, if it is so for longer than an exchange takes.
    """
    for _ in range(_TRIES - 1):
        before = stamp_of(folder)
        # Between the two renames of an exchange there is nothing; and a file may come from the one, the next from the
        # other, which hashes or lengths would tell, or the stamp does.
        with contextlib.suppress(GemelError, OSError, ValueError):
            bundle = read_bundle(folder)
            if before is not None and stamp_of(folder) == before:
                return bundle, before
        if before is not None and stamp_of(folder) == before:
            break
        time.sleep(_EXCHANGE_S)
    bundle, stamp = read_bundle(folder), stamp_of(folder)
    if stamp is None:
        raise ArtifactError(f"{folder}: it went while it was read; run `dvc repro release`")
    return bundle, stamp


def _read_redirects(folder: Path) -> Mapping[str, str]:
    # Releases that were made before there were changes have no such file.
    return read_redirects(folder / REDIRECTS) if (folder / REDIRECTS).is_file() else {}


def _inside(settings: LinkerSettings, folder: Path) -> LinkerSettings:
    """The settings of a bundle that holds its frozen models, with their absolute paths.

    Raises: ArtifactError if one lies elsewhere: whoever made the bundle would choose a file of this machine.
    """

    def place(name: str) -> str:
        path = PurePosixPath(name)
        if path.parts[:1] != (MODELS,) or ".." in path.parts:
            raise ArtifactError(
                f"{folder}: it holds its frozen models, but names {name!r} outside {MODELS}/; don't use it"
            )
        return str(folder.absolute() / path)

    llm, vision, shown = settings.backbone.llm, settings.backbone.vision, settings.demonstrations
    family, local, where = vision.model.partition(LOCAL)
    vision = replace(
        vision,
        model=f"{family}{local}{place(where)}" if local else vision.model,
        pretrained=vision.pretrained if local and vision.pretrained is None else place(str(vision.pretrained)),
    )
    backbone = replace(settings.backbone, llm=replace(llm, model=place(llm.model)), vision=vision)
    if shown.method == "dense":
        shown = replace(shown, encoder=place(shown.encoder))
        check_modules(folder, Path(shown.encoder))
    return replace(settings, backbone=backbone, demonstrations=shown)
