"""Stage `release`: the best mapper with all that a linker needs, in one folder, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from gemel.bundle import ENTITIES, Contents, settings_facts, write_contents
from gemel.card import write_card
from gemel.changes.assembly import Changed, with_entity_changes
from gemel.changes.corrected import CorrectedCorpus, corrected_corpus, correction_vectors, expect_encoder
from gemel.changes.corrections import read_corrections
from gemel.changes.rows import read_entity_changes
from gemel.core.artifacts import artifact_hash, expect_fact, new_artifact, read_manifest
from gemel.core.config import load_section, read_params
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
from gemel.entities.trie import read_trie
from gemel.entities.trie_build import NameTokens
from gemel.entities.trie_update import Tokenize
from gemel.evaluation.protocol import read_card
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.store import FINGERPRINT, FeatureStore
from gemel.features.tower import Vectors
from gemel.frozen import identify
from gemel.mapper.mapper import WEIGHTS
from gemel.release_facts import format_facts, told
from gemel.stages import (
    CONFIDENCE,
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
    RESCORING,
)
from gemel.stages.dataset import changes_in_use
from gemel.tasks.linking.demonstrations import read_corpus
from gemel.tasks.linking.rescoring import read_rescoring

INPUTS = (POSTS, IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE, MAPPER, CONFIDENCE, EVALUATION)


def main() -> None:
    """Bundle the mapper that is best on dev, and the catalog and demonstrations with the changes made since.

    Accuracies go into the manifest, with the protocol that they stand on; they are those without the changes.
    """
    manifests = {folder: read_manifest(folder, folder.name) for folder in INPUTS}
    settings = LinkerSettings(
        backbone=load_section("backbone", BackboneSettings),
        demonstrations=load_section("demonstrations", DemonstrationSettings),
        num_beams=load_section("evaluation", EvaluationSettings).num_beams,
        missing_image=load_section("mapper", MapperSettings).missing_image,
        prompt=load_section("prompt", PromptSettings),
        rescoring=read_rescoring(RESCORING),
    )
    tokenizer, changes = manifests[ENTITY_TRIE]["tokenizer"], changes_in_use(read_params())
    changed = with_entity_changes(_base(), read_entity_changes(changes), _tokenize_with(settings.backbone, tokenizer))
    contents = changed.contents
    corrected = corrected_corpus(contents.demonstrations, read_corrections(changes), contents.catalog)
    vectors = _vectors(corrected, changes, manifests[IMAGE_FEATURES][FINGERPRINT], settings.backbone)
    metrics = json.loads(METRICS.read_text(encoding="utf-8"))
    facts = format_facts(identify(settings)) | {
        "settings": settings_facts(settings),
        "tokenizer": tokenizer,
        "dataset": manifests[POSTS]["dataset"],
        "graded_by": metrics["graded_by"],
        "protocol": read_card(EVALUATION),
        "accuracy": {split: metrics[split]["accuracy"] for split in ("dev", "test")},
        "metrics": told(metrics),
        "made_from": {folder.name: artifact_hash(folder) for folder in INPUTS},
        "changes": dict(changed.counts),
        "corrections": {"shown": len(corrected.shown), "dropped": len(corrected.dropped)},
    }
    with new_artifact(RELEASE, "release", facts) as draft:
        write_contents(draft, replace(contents, demonstrations=corrected.table, vectors=vectors))
        write_card(draft, facts)
    _show(changed, corrected)


def _base() -> Contents:
    """What the other stages made."""
    best = json.loads(MAPPER_SUMMARY.read_text(encoding="utf-8"))["best_seed"]
    return Contents(
        mapper=MAPPER / f"seed-{best}" / WEIGHTS,
        catalog=Catalog.read(POSTS / ENTITIES),
        trie=read_trie(ENTITY_TRIE),
        demonstrations=read_corpus(DEMONSTRATIONS),
        vectors=FeatureStore(IMAGE_FEATURES),
        calibrator=CONFIDENCE,
    )


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


def _tokenize_with(backbone: BackboneSettings, fingerprint: str) -> Tokenize:
    """A function that tokenizes names as the trie's were; it loads the tokenizer when it is called."""

    def tokenize(names: Sequence[str]) -> NameTokens:
        from gemel.llm.names import tokenize_names
        from gemel.llm.tokens import load_tokenizer, tokenizer_fingerprint

        tokenizer = load_tokenizer(backbone.llm.model, backbone.llm.revision)
        used = tokenizer_fingerprint(tokenizer)
        expect_fact(ENTITY_TRIE, {"tokenizer": fingerprint}, "tokenizer", used, "entity_trie")
        return tokenize_names(names, tokenizer)

    return tokenize


def _show(changed: Changed, corrected: CorrectedCorpus) -> None:
    console = Console()
    counts = ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in changed.counts.items() if count)
    if counts:
        console.print(f"Changes in the release: {counts}.", highlight=False, soft_wrap=True)
    for entity_id, why in changed.unfit.items():
        console.print(f"[yellow]{escape(f'{entity_id}: {why}')}[/]", highlight=False, soft_wrap=True)
    if corrected.shown:
        console.print(f"{len(corrected.shown)} corrections among the demonstrations.", soft_wrap=True)
    for each in corrected.dropped:
        said = f"{each.mention.mention!r} as {each.mention.entity}"
        console.print(
            f"correction {each.id} ({said}) left out: the catalog has no such entity any more; "
            f"`gemel demonstrations remove {each.id}` forgets it",
            markup=False,
            soft_wrap=True,
        )


if __name__ == "__main__":
    main()
