"""The stage `mapper`: one trained mapper for each seed, and the best on dev named."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_world import PREFIX_TOKENS, VISION_WIDTH, WIDTH

from gemel.core.artifacts import read_manifest
from gemel.core.errors import ArtifactError, ConfigError, ShapeError
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.mapper import WEIGHTS, load_mapper
from gemel.mapper.published import import_checkpoint
from gemel.stages import (
    DEMONSTRATIONS,
    ENTITY_TRIE,
    IMAGE_FEATURES,
    MAPPER,
    MAPPER_SUMMARY,
    POSTS,
    PROGRESS,
    RELEASE,
    START,
    evaluation,
    release,
)
from gemel.stages import mapper as stage
from stages.project_changes import set_param

CHECKPOINT = "data/checkpoints/published"


def summary() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(MAPPER_SUMMARY.read_text())
    return found


def mapper_of(seed: int) -> Adapter:
    return load_mapper(MAPPER / f"seed-{seed}" / WEIGHTS, vision_dim=VISION_WIDTH, llm_dim=WIDTH)


@pytest.mark.usefixtures("in_project")
@pytest.mark.parametrize("seed", [0, 1])
def test_every_seed_has_a_mapper_and_its_curves(seed: int) -> None:
    assert mapper_of(seed).prefix_tokens == PREFIX_TOKENS
    curves = {path.stem for path in (MAPPER / f"seed-{seed}" / "curves").iterdir()}
    assert curves == {"train_loss", "rate", "dev_loss", "dev_accuracy"}


@pytest.mark.usefixtures("in_project")
def test_seeds_give_different_mappers() -> None:
    assert len({(MAPPER / f"seed-{seed}" / WEIGHTS).read_bytes() for seed in (0, 1)}) == 2


@pytest.mark.usefixtures("in_project")
def test_best_seed_has_the_lowest_loss_on_dev() -> None:
    seeds = summary()["seeds"]
    assert str(summary()["best_seed"]) == min(seeds, key=lambda seed: seeds[seed]["dev_loss"])
    assert {run["steps"] for run in seeds.values()} == {4}


@pytest.mark.usefixtures("in_project")
def test_artifact_holds_the_mapper_alone() -> None:
    weights = [path for path in MAPPER.rglob("*") if path.suffix in (".safetensors", ".ckpt", ".pt")]
    assert sorted(path.name for path in weights) == [WEIGHTS, WEIGHTS]
    assert 0 < summary()["trainable_share"] < 1


@pytest.mark.usefixtures("in_project")
def test_manifest_names_the_frozen_models(tiny_backbones) -> None:
    facts = read_manifest(MAPPER, "mapper", check_hashes=True)
    assert (facts["encoder"], facts["llm"]["model"]) == (tiny_backbones.vision.model, tiny_backbones.llm.model)
    assert facts["llm_commit"] is None
    assert (facts["train"], facts["dev"], facts["windowed_texts"]) == (11, 5, 0)


@pytest.mark.usefixtures("in_project")
def test_no_progress_is_left() -> None:
    assert not (PROGRESS / "mapper").exists()


@pytest.mark.usefixtures("project_copy")
def test_second_run_gives_the_same_mappers() -> None:
    before = [(MAPPER / f"seed-{seed}" / WEIGHTS).read_bytes() for seed in (0, 1)]
    stage.main()
    assert [(MAPPER / f"seed-{seed}" / WEIGHTS).read_bytes() for seed in (0, 1)] == before


def test_two_processes_train_the_mapper_that_one_does(project_copy: Path) -> None:
    before = [mapper_of(seed) for seed in (0, 1)]
    set_param(project_copy, "runtime.training", {"devices": 2, "strategy": "ddp"})
    subprocess.run([sys.executable, "-m", "gemel.stages.mapper"], check=True, timeout=300)
    for seed, one in enumerate(before):
        for found, wanted in zip(mapper_of(seed).parameters(), one.parameters(), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert not list(MAPPER.parent.glob(".mapper*")), "each process but the first leaves the artifact alone"


@pytest.fixture
def from_champion(project_copy: Path) -> Path:
    """The project whose training starts from a trained mapper, and hardly moves."""
    START.mkdir(parents=True)
    shutil.copy(MAPPER / "seed-0" / WEIGHTS, START / WEIGHTS)
    set_param(project_copy, "mapper.start", "champion")
    set_param(project_copy, "mapper.course.peak_rate", 1e-9)
    return project_copy


@pytest.mark.usefixtures("from_champion")
def test_training_starts_from_the_champion_s_mapper() -> None:
    champion = load_mapper(START / WEIGHTS, vision_dim=VISION_WIDTH, llm_dim=WIDTH)
    stage.main()
    for seed in (0, 1):
        for found, wanted in zip(mapper_of(seed).parameters(), champion.parameters(), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("from_champion")
def test_start_without_a_champion_s_mapper_says_who_puts_it_there() -> None:
    (START / WEIGHTS).unlink()
    with pytest.raises(ArtifactError, match=r"start/mapper\.safetensors: no such file; a retraining puts it there"):
        stage.main()


def test_champion_s_mapper_of_another_kind_is_refused(from_champion: Path) -> None:
    set_param(from_champion, "mapper.adapter", "mlp")
    with pytest.raises(
        ArtifactError, match=r"are \('linear', 2\), but the settings want \('mlp', 2\); set mapper.start"
    ):
        stage.main()


@pytest.fixture
def with_checkpoint(project_copy: Path) -> Path:
    """The project with an imported mapper of half precision, and the settings that take it."""
    torch.manual_seed(7)
    linear = torch.nn.Linear(VISION_WIDTH, PREFIX_TOKENS * WIDTH, dtype=torch.float16)
    torch.save(linear.state_dict(), project_copy / "published.pkl")
    import_checkpoint(project_copy / "published.pkl", project_copy / CHECKPOINT, PREFIX_TOKENS)
    for key, value in (("checkpoint", CHECKPOINT), ("tracked", CHECKPOINT), ("seeds", [42])):
        set_param(project_copy, f"mapper.{key}", value)
    return project_copy


def test_imported_checkpoint_is_the_mapper_of_the_one_seed(with_checkpoint: Path) -> None:
    stage.main()
    published = torch.load(with_checkpoint / "published.pkl", weights_only=True)
    mapper = mapper_of(42)
    assert torch.equal(mapper.output.weight, published["weight"].float())
    assert torch.equal(mapper.output.bias, published["bias"].float())
    assert not (MAPPER / "seed-0").exists()
    assert (summary()["best_seed"], summary()["seeds"]) == (42, {"42": {"dev_loss": None, "steps": 0}})
    origin = read_manifest(MAPPER, "mapper", check_hashes=True)["checkpoint"]
    assert (origin["source"], origin["dtype"]) == ("published.pkl", "float16")


@pytest.mark.usefixtures("with_checkpoint")
def test_imported_checkpoint_goes_through_to_the_release() -> None:
    for each in (stage, evaluation, release):
        each.main()
    assert (RELEASE / WEIGHTS).read_bytes() == (MAPPER / "seed-42" / WEIGHTS).read_bytes()


def test_checkpoint_beside_several_seeds_is_refused(with_checkpoint: Path) -> None:
    set_param(with_checkpoint, "mapper.seeds", [0, 1])
    words = rf"checkpoint '{CHECKPOINT}' is one mapper, but seeds are \[0, 1\]; add -S 'mapper.seeds=\[0\]'"
    with pytest.raises(ConfigError, match=words):
        stage.main()


def test_checkpoint_that_dvc_does_not_watch_is_refused(with_checkpoint: Path) -> None:
    set_param(with_checkpoint, "mapper.tracked", "src")
    words = rf"DVC watches 'src' for a change of the checkpoint '{CHECKPOINT}'; set it in conf/"
    with pytest.raises(ConfigError, match=words):
        stage.main()


def test_checkpoint_of_other_widths_is_refused(with_checkpoint: Path) -> None:
    set_param(with_checkpoint, "mapper.prefix_tokens", 4)
    words = rf"{CHECKPOINT}: a mapper 24 -> 2 x 32, but the settings need 24 -> 4 x 32; choose the backbone"
    with pytest.raises(ShapeError, match=words):
        stage.main()


def test_missing_checkpoint_says_how_to_import_it(with_checkpoint: Path) -> None:
    shutil.rmtree(with_checkpoint / CHECKPOINT)
    with pytest.raises(ArtifactError, match=r"never finished; run `gemel import checkpoint` again"):
        stage.main()


@pytest.mark.parametrize("folder", [POSTS, IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE], ids=lambda folder: folder.name)
@pytest.mark.usefixtures("project_copy")
def test_missing_artifact_names_its_stage(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match=rf"artifacts/{folder.name}: .*; run `dvc repro {folder.name}`"):
        stage.main()


def test_choice_of_a_method_that_was_not_made_names_its_stage(project_copy: Path) -> None:
    set_param(project_copy, "demonstrations.method", "dense")
    with pytest.raises(ArtifactError, match=r"chosen_dense.parquet: unreadable .*; run `dvc repro demonstrations`"):
        stage.main()
