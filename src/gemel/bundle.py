"""The release bundle: one folder with everything that a linker needs, except the frozen models, which it names.

manifest.json            settings, ids and revisions of the frozen models, hashes of all files
mapper.safetensors       the trained mapper
entities.parquet         the catalog; row i is name i of the trie
trie/                    the packed trie
corpus.parquet           the demonstrations
vectors.npy              their images' vectors, (images, vision_dim), float32
images.json              image SHA-256 of each row of vectors.npy
confidence.json          from the evidence of a search to the chance that its answer is right; older bundles have none
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gemel.confidence.calibrator import CALIBRATOR, Calibrator, read_calibrator
from gemel.core.artifacts import read_manifest
from gemel.core.config import parse_section
from gemel.core.errors import ArtifactError
from gemel.core.settings import LinkerSettings
from gemel.entities.catalog import Catalog
from gemel.entities.trie import PackedTrie, read_trie
from gemel.features.tower import Vectors
from gemel.mapper.mapper import WEIGHTS
from gemel.tasks.linking.demonstrations import read_corpus

ENTITIES, TRIE, VECTORS, IMAGES = "entities.parquet", "trie", "vectors.npy", "images.json"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. vectors: image SHA-256 -> vision vector of the demonstrations' images.

    calibrator: None in a bundle that was made without one.
    """

    settings: LinkerSettings
    tokenizer_fingerprint: str
    mapper: Path
    catalog: Catalog
    trie: PackedTrie
    demonstrations: pl.DataFrame
    vectors: Mapping[str, Vectors]
    calibrator: Calibrator | None = None


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
    facts = read_manifest(folder, "release", check_hashes=True)
    order: Sequence[str] = json.loads((folder / IMAGES).read_text(encoding="utf-8"))
    vectors = np.load(folder / VECTORS)
    if len(order) != len(vectors):
        raise ArtifactError(f"{folder}: {len(vectors)} vectors for {len(order)} images; run `dvc repro release`")
    return Bundle(
        settings=parse_section(facts["settings"], "settings", LinkerSettings, folder / "manifest.json"),
        tokenizer_fingerprint=facts["tokenizer"],
        mapper=folder / WEIGHTS,
        catalog=Catalog.read(folder / ENTITIES),
        trie=read_trie(folder / TRIE),
        demonstrations=read_corpus(folder),
        vectors=dict(zip(order, vectors, strict=True)),
        calibrator=read_calibrator(folder) if (folder / CALIBRATOR).is_file() else None,
    )
