"""Stage `release`: the best mapper with all that a linker needs, in one folder, and nothing else."""

from __future__ import annotations

import json
import shutil

from gemel.bundle import (
    ENTITIES,
    TRIE,
    settings_facts,
    write_vectors,
)
from gemel.core.artifacts import artifact_hash, new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import (
    BackboneSettings,
    DemonstrationSettings,
    EvaluationSettings,
    LinkerSettings,
    MapperSettings,
    PromptSettings,
    Rescoring,
)
from gemel.entities.trie import read_trie, write_trie
from gemel.evaluation.protocol import read_card
from gemel.features.store import FeatureStore
from gemel.mapper.mapper import WEIGHTS
from gemel.stages import (
    DEMONSTRATIONS,
    ENTITY_TRIE,
    EVALUATION,
    IMAGE_FEATURES,
    MAPPER,
    MAPPER_SUMMARY,
    METRICS,
    POSTS,
    RELEASE,
    RESCORING,
)
from gemel.tasks.linking.demonstrations import CORPUS, read_corpus

INPUTS = (POSTS, IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE, MAPPER, EVALUATION)


def main() -> None:
    """Bundle the mapper that is best on dev. Accuracies go into the manifest, with the protocol that they stand on."""
    manifests = {folder: read_manifest(folder, folder.name) for folder in INPUTS}
    fitted = json.loads(RESCORING.read_text(encoding="utf-8"))
    settings = LinkerSettings(
        backbone=load_section("backbone", BackboneSettings),
        demonstrations=load_section("demonstrations", DemonstrationSettings),
        num_beams=load_section("evaluation", EvaluationSettings).num_beams,
        missing_image=load_section("mapper", MapperSettings).missing_image,
        prompt=load_section("prompt", PromptSettings),
        rescoring=Rescoring(**fitted) if fitted else None,
    )
    best = json.loads(MAPPER_SUMMARY.read_text(encoding="utf-8"))["best_seed"]
    metrics = json.loads(METRICS.read_text(encoding="utf-8"))
    corpus, features = read_corpus(DEMONSTRATIONS), FeatureStore(IMAGE_FEATURES)
    facts = {
        "settings": settings_facts(settings),
        "tokenizer": manifests[ENTITY_TRIE]["tokenizer"],
        "dataset": manifests[POSTS]["dataset"],
        "graded_by": metrics["graded_by"],
        "protocol": read_card(EVALUATION),
        "accuracy": {split: metrics[split]["accuracy"] for split in ("dev", "test")},
        "made_from": {folder.name: artifact_hash(folder) for folder in INPUTS},
    }
    with new_artifact(RELEASE, "release", facts) as draft:
        shutil.copyfile(MAPPER / f"seed-{best}" / WEIGHTS, draft / WEIGHTS)
        shutil.copyfile(POSTS / ENTITIES, draft / ENTITIES)
        (draft / TRIE).mkdir()
        write_trie(read_trie(ENTITY_TRIE), draft / TRIE)
        corpus.write_parquet(draft / CORPUS)
        write_vectors(draft, {sha256: features[sha256] for sha256 in corpus["image_sha256"].drop_nulls().unique()})


if __name__ == "__main__":
    main()
