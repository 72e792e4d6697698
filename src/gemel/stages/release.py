"""Stage `release`: the best mapper with all that a linker needs, in one folder, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from rich.console import Console

from gemel.bundle import (
    ENTITIES,
    TRIE,
    settings_facts,
    write_vectors,
)
from gemel.confidence.calibrator import CALIBRATOR
from gemel.changes.corrected import CorrectedCorpus, corrected_corpus, correction_vectors, expect_encoder
from gemel.changes.corrections import read_corrections
from gemel.core.artifacts import artifact_hash, new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import (
    BackboneSettings,
    DemonstrationSettings,
    EvaluationSettings,
    LinkerSettings,
    MapperSettings,
    PromptSettings,
    RuntimeSettings,
)
from gemel.entities.catalog import Catalog
from gemel.entities.trie import read_trie, write_trie
from gemel.evaluation.protocol import read_card
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.store import FINGERPRINT, FeatureStore
from gemel.features.tower import Vectors
from gemel.mapper.mapper import WEIGHTS
from gemel.stages import (
    CONFIDENCE,
    CHANGES,
    DEMONSTRATIONS,
    ENTITY_TRIE,
    EVALUATION,
    IMAGE_FEATURES,
    MAPPER,
    MAPPER_SUMMARY,
    METRICS,
    POSTS,
    PROGRESS,
    RELEASE,
)
from gemel.tasks.linking.demonstrations import CORPUS, read_corpus

INPUTS = (POSTS, IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE, MAPPER, CONFIDENCE, EVALUATION)


def main() -> None:
    """Bundle the mapper that is best on dev. Accuracies go into the manifest, with the protocol that they stand on."""
    manifests = {folder: read_manifest(folder, folder.name) for folder in INPUTS}
    settings = LinkerSettings(
        backbone=load_section("backbone", BackboneSettings),
        demonstrations=load_section("demonstrations", DemonstrationSettings),
        num_beams=load_section("evaluation", EvaluationSettings).num_beams,
        missing_image=load_section("mapper", MapperSettings).missing_image,
        prompt=load_section("prompt", PromptSettings),
    )
    best = json.loads(MAPPER_SUMMARY.read_text(encoding="utf-8"))["best_seed"]
    metrics = json.loads(METRICS.read_text(encoding="utf-8"))
    changes = CHANGES / manifests[POSTS]["dataset"]
    corrected = corrected_corpus(read_corpus(DEMONSTRATIONS), read_corrections(changes), Catalog.read(POSTS / ENTITIES))
    vectors = _vectors(corrected, changes, manifests[IMAGE_FEATURES][FINGERPRINT], settings.backbone)
    facts = {
        "settings": settings_facts(settings),
        "tokenizer": manifests[ENTITY_TRIE]["tokenizer"],
        "dataset": manifests[POSTS]["dataset"],
        "graded_by": metrics["graded_by"],
        "protocol": read_card(EVALUATION),
        "accuracy": {split: metrics[split]["accuracy"] for split in ("dev", "test")},
        "corrections": {"shown": len(corrected.shown), "dropped": len(corrected.dropped)},
        "made_from": {folder.name: artifact_hash(folder) for folder in INPUTS},
    }
    with new_artifact(RELEASE, "release", facts) as draft:
        shutil.copyfile(MAPPER / f"seed-{best}" / WEIGHTS, draft / WEIGHTS)
        shutil.copyfile(CONFIDENCE / CALIBRATOR, draft / CALIBRATOR)
        shutil.copyfile(POSTS / ENTITIES, draft / ENTITIES)
        (draft / TRIE).mkdir()
        write_trie(read_trie(ENTITY_TRIE), draft / TRIE)
        corrected.table.write_parquet(draft / CORPUS)
        write_vectors(draft, vectors)
    _tell(corrected)


def _vectors(
    corpus: CorrectedCorpus, changes: Path, fingerprint: str, backbone: BackboneSettings
) -> dict[str, Vectors]:
    """Vectors of all images of the corpus; only a correction's may still have to be made.

    fingerprint: of the encoder of all others.
    """

    def load() -> VisionEncoder:
        device = load_section("runtime", RuntimeSettings).torch_device
        return expect_encoder(load_encoder(backbone.vision.model, backbone.vision.pretrained, device), fingerprint)

    features = FeatureStore(IMAGE_FEATURES)
    made = correction_vectors(corpus.shown, changes, features, PROGRESS / "corrections" / fingerprint, load)
    wanted = corpus.table["image_sha256"].drop_nulls().unique()
    return {sha256: made[sha256] if sha256 in made else features[sha256] for sha256 in wanted}


def _tell(corpus: CorrectedCorpus) -> None:
    console = Console(soft_wrap=True)
    if corpus.shown:
        console.print(f"{len(corpus.shown)} corrections among the demonstrations.")
    for each in corpus.dropped:
        said = f"{each.mention.mention!r} as {each.mention.entity}"
        console.print(
            f"correction {each.id} ({said}) left out: the catalog has no such entity any more; "
            f"`gemel demonstrations remove {each.id}` forgets it",
            markup=False,
        )


if __name__ == "__main__":
    main()
