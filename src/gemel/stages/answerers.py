"""The linker over the artifacts of this project, one for each seed's mapper; of stages that ask it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.progress import Progress

from gemel.answerer import Answerer
from gemel.core.artifacts import expect_fact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import (
    BackboneSettings,
    DemonstrationSettings,
    LinkerSettings,
    MapperSettings,
    PromptSettings,
    RuntimeSettings,
)
from gemel.entities.catalog import Catalog
from gemel.entities.trie import read_trie
from gemel.evaluation.grading import Graded
from gemel.evaluation.rescoring import Linked
from gemel.evaluation.variants import Variant, predict, queries
from gemel.features.store import FeatureStore
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.llm.tokens import tokenizer_fingerprint
from gemel.mapper.mapper import WEIGHTS, load_mapper
from gemel.stages import DEMONSTRATIONS, ENTITY_TRIE, IMAGE_FEATURES, MAPPER, POSTS
from gemel.tasks.linking.demonstrations import DemonstrationBook, read_chosen, read_corpus


def load_frozen_llm() -> FrozenLLM:
    """The LLM in use, on the device in use."""
    llm = load_section("backbone", BackboneSettings).llm
    return load_llm(llm, load_section("runtime", RuntimeSettings).torch_device)


def make_answerers(llm: FrozenLLM, seeds: Sequence[int], num_beams: int) -> Mapping[int, Answerer]:
    """One answerer for each seed's mapper, over the same frozen models and artifacts.

    Raises: ArtifactError if an artifact was built for another tokenizer, catalog or encoder.
    """
    runtime = load_section("runtime", RuntimeSettings)
    trie_facts = read_manifest(ENTITY_TRIE, "entity_trie")
    expect_fact(ENTITY_TRIE, trie_facts, "tokenizer", tokenizer_fingerprint(llm.tokenizer), "entity_trie")
    catalog = Catalog.read(POSTS / "entities.parquet")
    expect_fact(ENTITY_TRIE, trie_facts, "names_sha256", catalog.names_sha256, "entity_trie")
    features = FeatureStore(IMAGE_FEATURES)
    encoder = read_manifest(IMAGE_FEATURES, "image_features")
    expect_fact(MAPPER, read_manifest(MAPPER, "mapper"), "encoder", encoder["encoder"], "mapper")
    settings = _linker_settings(num_beams)
    shared: dict[str, Any] = {
        "llm": llm,
        "catalog": catalog,
        "trie": read_trie(ENTITY_TRIE),
        "book": DemonstrationBook(read_corpus(DEMONSTRATIONS), llm.encode, settings.prompt.names),
        "vectors": features,
        "settings": settings,
        "tokens_at_once": runtime.tokens_at_once,
    }
    weights = {seed: MAPPER / f"seed-{seed}" / WEIGHTS for seed in seeds}
    return {
        seed: Answerer(mapper=load_mapper(path, vision_dim=encoder["width"], llm_dim=llm.width), **shared)
        for seed, path in weights.items()
    }


def link_variants(
    runs: Sequence[Variant], answerers: Mapping[int, Answerer], mentions: Mapping[str, Graded]
) -> Iterator[Linked]:
    """What every variant answers on each split with each mapper, by the LLM's scores alone. mentions: of each split."""
    at_once = load_section("runtime", RuntimeSettings).queries_at_once
    features = FeatureStore(IMAGE_FEATURES)
    total = sum(rows.table.height * len(run.seeds) for run in runs for rows in mentions.values())
    with Progress() as progress:
        bar = progress.add_task("linking", total=total)
        for run in runs:
            chosen = None if run.method is None else read_chosen(DEMONSTRATIONS, run.method, run.imageless)
            vector_of = _no_vector if run.imageless else features.vector_or_fallback("leave_out")
            for split, rows in mentions.items():
                asked = queries(rows, chosen, vector_of)
                for seed in run.seeds:
                    found = {}
                    for place, answer in predict(answerers[seed], asked, run.sight, at_once):
                        found[place] = answer
                        progress.advance(bar)
                    yield Linked(run, split, seed, asked, [found[place] for place in range(len(asked))])


def _no_vector(_: str | None) -> None:
    """The look-up of an image where no post is taken to have one."""


def _linker_settings(num_beams: int) -> LinkerSettings:
    return LinkerSettings(
        load_section("backbone", BackboneSettings),
        load_section("demonstrations", DemonstrationSettings),
        num_beams,
        load_section("mapper", MapperSettings).missing_image,
        load_section("prompt", PromptSettings),
    )
