"""Stage `mapper`: trains the linear mapper through the frozen LLM, once for each seed."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console

from gemel.core.artifacts import artifact_hash, new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import BackboneSettings, DemonstrationSettings, LLMSettings, MapperSettings, RuntimeSettings
from gemel.features.store import FeatureStore
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.mapper.examples import Example
from gemel.mapper.mapper import WEIGHTS, LinearMapper, save_mapper
from gemel.mapper.training import TrainingResult, clear_progress, train_mapper, trainable_share
from gemel.posts.tables import Tables
from gemel.stages import DEMONSTRATIONS, IMAGE_FEATURES, MAPPER, MAPPER_SUMMARY, POSTS, PROGRESS
from gemel.tasks.linking.demonstrations import DemonstrationBook, read_chosen, read_corpus, solved_mentions
from gemel.tasks.linking.targets import training_examples


def main() -> None:
    """Train one mapper for each seed; each is kept with its curves, and the best on dev is named."""
    settings = load_section("mapper", MapperSettings)
    names = load_section("backbone", BackboneSettings).llm
    method = load_section("demonstrations", DemonstrationSettings).method
    device = load_section("runtime", RuntimeSettings).torch_device
    llm = load_llm(names, device)
    encoder = read_manifest(IMAGE_FEATURES, "image_features")
    train, dev = _examples(settings, llm, method, names.leading_bos)
    run = _fingerprint(settings, names, method)
    facts = {"encoder": encoder["encoder"], "llm": asdict(names), "train": len(train), "dev": len(dev)}
    facts["llm_commit"] = llm.commit
    facts["windowed_texts"] = sum(example.windowed for example in (*train, *dev))
    with new_artifact(MAPPER, "mapper", facts) as draft:
        summary = {}
        for seed in settings.seeds:
            torch.manual_seed(seed)
            fresh = LinearMapper(encoder["width"], llm.width, settings.prefix_tokens)
            progress = PROGRESS / "mapper" / f"{run}-{seed}"
            result = train_mapper(
                fresh,
                llm,
                train,
                dev,
                settings.course,
                seed=seed,
                leading_bos=names.leading_bos,
                progress=progress,
            )
            _keep(result, draft / f"seed-{seed}", progress)
            summary[seed] = {"dev_loss": result.dev_loss, "steps": result.steps}
        best = min(summary, key=lambda seed: summary[seed]["dev_loss"])
        share = trainable_share(fresh, llm, encoder["parameters"])
        whole = {"seeds": summary, "best_seed": best, "trainable_share": share}
        (draft / MAPPER_SUMMARY.name).write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    clear_progress(PROGRESS / "mapper")
    Console().print(f"Trainable share of all parameters: {share:.3%}. Best seed on dev: {best}.")


def _examples(
    settings: MapperSettings, llm: FrozenLLM, method: str, leading_bos: bool
) -> tuple[list[Example], list[Example]]:
    read_manifest(POSTS, "posts")
    read_manifest(DEMONSTRATIONS, "demonstrations")
    tables, chosen = Tables.read(POSTS), read_chosen(DEMONSTRATIONS, method)
    features = FeatureStore(IMAGE_FEATURES)
    book = DemonstrationBook(read_corpus(DEMONSTRATIONS), llm.encode)
    vector_of = features.vector_or_fallback(settings.missing_image)
    train, dev = (
        training_examples(
            solved_mentions(tables.mentions, tables.posts, tables.entities, split),
            chosen,
            book,
            vector_of,
            llm.encode,
            llm.eos_token_id,
            settings.without_demonstrations if split == "train" else 0.0,
            prefix_tokens=settings.prefix_tokens,
            context=llm.context - len(llm.leading_ids(leading_bos)),
        )
        for split in ("train", "dev")
    )
    return train, dev


def _keep(result: TrainingResult, folder: Path, progress: Path) -> None:
    folder.mkdir()
    save_mapper(result.mapper, folder / WEIGHTS)
    shutil.copytree(progress / "curves" / "plots" / "metrics", folder / "curves")


def _fingerprint(settings: MapperSettings, llm: LLMSettings, method: str) -> str:
    """Names the run by all that decides its course, so that no run goes on from the state of another."""
    inputs = [artifact_hash(folder) for folder in (POSTS, IMAGE_FEATURES, DEMONSTRATIONS)]
    return hashlib.sha256(repr((settings, llm, method, inputs)).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
