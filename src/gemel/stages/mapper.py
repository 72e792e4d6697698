"""Stage `mapper`: trains the mapper through the frozen LLM, once for each seed, or takes an imported one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gemel.core.artifacts import artifact_hash, expect_fact, file_sha256, new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.errors import ArtifactError
from gemel.core.settings import (
    BackboneSettings,
    DemonstrationSettings,
    LLMSettings,
    MapperSettings,
    PromptSettings,
    RuntimeSettings,
    TrainingCourse,
)
from gemel.entities.trie import read_trie
from gemel.features.store import FeatureStore
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.llm.tokens import tokenizer_fingerprint
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.examples import Example
from gemel.mapper.mapper import WEIGHTS, adapter_name, load_mapper, make_mapper, save_mapper
from gemel.mapper.published import read_checkpoint
from gemel.mapper.training import TrainingResult, clear_progress, train_mapper, trainable_share
from gemel.posts.tables import Tables
from gemel.stages import DEMONSTRATIONS, ENTITY_TRIE, IMAGE_FEATURES, MAPPER, MAPPER_SUMMARY, POSTS, PROGRESS, START
from gemel.tasks.linking.demonstrations import DemonstrationBook, read_chosen, read_corpus, solved_mentions
from gemel.tasks.linking.targets import training_examples


def main() -> None:
    """Train one mapper for each seed; each is kept with its curves, and the best on dev is named.

    An imported checkpoint is taken as the mapper of its one seed instead.
    """
    settings = load_section("mapper", MapperSettings)
    names = load_section("backbone", BackboneSettings).llm
    shown = load_section("demonstrations", DemonstrationSettings)
    prompt = load_section("prompt", PromptSettings)
    runtime = load_section("runtime", RuntimeSettings)
    llm = load_llm(names, _device(runtime))
    encoder = read_manifest(IMAGE_FEATURES, "image_features")
    if settings.checkpoint is not None:
        _take(Path(settings.checkpoint), settings, names, llm, encoder)
        return
    train, dev = read_examples(settings, llm, shown, prompt, names.leading_bos)
    progress = PROGRESS / "mapper" / _fingerprint(settings, names, shown, prompt)
    runs = _train_all(settings, runtime, llm, names.leading_bos, encoder["width"], train, dev, progress)
    if not _first_process():
        # One of several processes that train together: it lends its device, and leaves the artifact to the first.
        for _ in runs:
            pass
        return
    facts = {"encoder": encoder["encoder"], "llm": asdict(names), "train": len(train), "dev": len(dev)}
    facts["llm_commit"] = llm.commit
    facts["windowed_texts"] = sum(example.windowed for example in (*train, *dev))
    results: dict[int, TrainingResult] = {}
    with new_artifact(MAPPER, "mapper", facts) as draft:
        for seed, result in runs:
            _keep(result, draft / f"seed-{seed}")
            results[seed] = result
        best = min(results, key=lambda seed: results[seed].dev_loss)
        share = trainable_share(results[best].mapper, llm, encoder["parameters"])
        _write_summary(draft, {seed: _facts(result) for seed, result in results.items()}, best, share)
    clear_progress(PROGRESS / "mapper")
    _show(results, best, share)


def _first_process() -> bool:
    first: bool = rank_zero_only.rank == 0  # type: ignore[attr-defined]
    return first


def _device(runtime: RuntimeSettings) -> str:
    """The device of this process: the CUDA card with its number, where several train together."""
    device = runtime.torch_device
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if device == "cuda" and runtime.training.devices > 1 else device


def _train_all(
    settings: MapperSettings,
    runtime: RuntimeSettings,
    llm: FrozenLLM,
    leading_bos: bool,
    vision_dim: int,
    train: list[Example],
    dev: list[Example],
    progress: Path,
) -> Iterator[tuple[int, TrainingResult]]:
    """Train with each seed in turn."""
    facts = read_manifest(ENTITY_TRIE, "entity_trie")
    expect_fact(ENTITY_TRIE, facts, "tokenizer", tokenizer_fingerprint(llm.tokenizer), "entity_trie")
    trie = read_trie(ENTITY_TRIE)
    for seed in settings.seeds:
        torch.manual_seed(seed)
        result = train_mapper(
            _first_weights(settings, vision_dim, llm.width),
            llm,
            train,
            dev,
            _course(settings),
            seed=seed,
            progress=progress / f"seed-{seed}",
            trie=trie,
            leading_bos=leading_bos,
            device=runtime.torch_device,
            runtime=runtime.training,
        )
        yield seed, result


def _first_weights(settings: MapperSettings, vision_dim: int, llm_dim: int) -> Adapter:
    """What training starts from.

    Raises: ArtifactError if it is to be the champion's mapper, and that is absent or another kind of mapper.
    """
    if settings.start == "scratch":
        return make_mapper(settings.adapter, vision_dim, llm_dim, settings.prefix_tokens)
    advice = "a retraining puts it there; or set mapper.start to scratch"
    mapper = load_mapper(START / WEIGHTS, vision_dim=vision_dim, llm_dim=llm_dim, advice=advice)
    found = (adapter_name(mapper), mapper.prefix_tokens)
    wanted = (settings.adapter, settings.prefix_tokens)
    if found != wanted:
        raise ArtifactError(
            f"{START / WEIGHTS}: adapter and prefix tokens are {found}, but the settings want {wanted}; "
            "set mapper.start to scratch"
        )
    return mapper


def _course(settings: MapperSettings) -> TrainingCourse:
    """The course; weights that were trained before keep their scale."""
    return settings.course if settings.start == "scratch" else replace(settings.course, initial_scale="default")


def _take(
    checkpoint: Path, settings: MapperSettings, names: LLMSettings, llm: FrozenLLM, encoder: Mapping[str, Any]
) -> None:
    """Write the artifact from an imported checkpoint; nothing is trained, so there is no loss on dev."""
    mapper, origin = read_checkpoint(
        checkpoint, vision_dim=encoder["width"], llm_dim=llm.width, prefix_tokens=settings.prefix_tokens
    )
    facts = {"encoder": encoder["encoder"], "llm": asdict(names), "checkpoint": asdict(origin)}
    (seed,) = settings.seeds
    with new_artifact(MAPPER, "mapper", facts) as draft:
        (draft / f"seed-{seed}").mkdir()
        save_mapper(mapper, draft / f"seed-{seed}" / WEIGHTS)
        share = trainable_share(mapper, llm, encoder["parameters"])
        _write_summary(draft, {seed: {"dev_loss": None, "steps": 0}}, seed, share)
    origin_words = escape(f"{origin.source}, as imported into {checkpoint}")
    Console().print(f"Not trained: the mapper of {origin_words}. Its share of all parameters: {share:.3%}.")


def _write_summary(draft: Path, seeds: Mapping[int, Mapping[str, object]], best: int, share: float) -> None:
    whole = {"seeds": seeds, "best_seed": best, "trainable_share": share}
    (draft / MAPPER_SUMMARY.name).write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def read_examples(
    settings: MapperSettings, llm: FrozenLLM, demonstrations: DemonstrationSettings, prompt: PromptSettings, bos: bool
) -> tuple[list[Example], list[Example]]:
    """What is trained on, and dev, from the artifacts of the current folder. bos: whether prompts start with it."""
    read_manifest(POSTS, "posts")
    read_manifest(DEMONSTRATIONS, "demonstrations")
    tables, chosen = Tables.read(POSTS), read_chosen(DEMONSTRATIONS, demonstrations.method)
    features = FeatureStore(IMAGE_FEATURES)
    book = DemonstrationBook(read_corpus(DEMONSTRATIONS), llm.encode, prompt.names)
    vector_of = features.vector_or_fallback(settings.missing_image)
    # What is left to chance is of training alone.
    by_chance: dict[str, Any] = {
        "without_demonstrations": settings.without_demonstrations,
        "vary_demonstrations": settings.vary_demonstrations,
        "drop_images": settings.drop_images,
        "chosen_without_image": read_chosen(DEMONSTRATIONS, demonstrations.method, without_image=True),
    }
    train, dev = (
        training_examples(
            solved_mentions(tables.mentions, tables.posts, tables.entities, split),
            chosen,
            book,
            vector_of,
            llm.encode,
            llm.eos_token_id,
            prefix_tokens=settings.prefix_tokens,
            context=llm.context - len(llm.leading_ids(bos)),
            order=demonstrations.order,
            **(by_chance if split == "train" else {}),
        )
        for split in ("train", "dev")
    )
    return train, dev


def _keep(result: TrainingResult, folder: Path) -> None:
    folder.mkdir()
    save_mapper(result.mapper, folder / WEIGHTS)
    shutil.copytree(result.curves, folder / "curves")


def _facts(result: TrainingResult) -> dict[str, Any]:
    """What the artifact states of a run: nothing that would differ if it were run again."""
    return {"dev_loss": result.dev_loss, "best_step": result.best_step, "steps": result.steps}


def _show(results: dict[int, TrainingResult], best: int, share: float) -> None:
    console = Console()
    columns = ("seed", "dev loss", "best step", "steps", "examples/s", "tokens/s", "mapper, MB", "state, MB")
    table = Table(*columns, title="Mappers")
    for seed, result in results.items():
        seconds = max(result.seconds, 1e-9)
        numbers = sum(parameter.numel() for parameter in result.mapper.parameters())
        speeds = [f"{count / seconds:.3g}" if count else "–" for count in (result.examples, result.tokens)]
        sizes = [f"{size / 1e6:.3g}" for size in (4 * numbers, result.state_bytes)]
        steps = [str(result.best_step), str(result.steps)]
        table.add_row(f"{seed}{' (best)' * (seed == best)}", f"{result.dev_loss:.4f}", *steps, *speeds, *sizes)
    console.print(table)
    console.print(f"Trainable share of all parameters: {share:.3%}.")


def _start_hash() -> str:
    if not (START / WEIGHTS).is_file():
        raise ArtifactError(
            f"{START / WEIGHTS}: no such file; a retraining puts it there; or set mapper.start to scratch"
        )
    return file_sha256(START / WEIGHTS)


def _fingerprint(
    settings: MapperSettings, llm: LLMSettings, shown: DemonstrationSettings, prompt: PromptSettings
) -> str:
    """Names the run by all that decides its course, so that no run goes on from the state of another."""
    inputs = [artifact_hash(folder) for folder in (POSTS, IMAGE_FEATURES, DEMONSTRATIONS)]
    inputs += [] if settings.start == "scratch" else [_start_hash()]
    return hashlib.sha256(repr((settings, llm, shown.method, shown.order, prompt, inputs)).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
