"""The stage `mapper`: one trained mapper for each seed, and the best on dev named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_world import PREFIX_TOKENS, VISION_WIDTH, WIDTH

from gemel.core.artifacts import read_manifest
from gemel.core.errors import ArtifactError
from gemel.mapper.mapper import WEIGHTS, load_mapper
from gemel.stages import DEMONSTRATIONS, IMAGE_FEATURES, MAPPER, MAPPER_SUMMARY, POSTS, PROGRESS
from gemel.stages import mapper as stage
from stages.project_changes import set_param


def summary() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(MAPPER_SUMMARY.read_text())
    return found


@pytest.mark.usefixtures("in_project")
@pytest.mark.parametrize("seed", [0, 1])
def test_every_seed_has_a_mapper_and_its_curves(seed: int) -> None:
    mapper = load_mapper(MAPPER / f"seed-{seed}" / WEIGHTS, vision_dim=VISION_WIDTH, llm_dim=WIDTH)
    assert mapper.prefix_tokens == PREFIX_TOKENS
    assert (MAPPER / f"seed-{seed}" / "curves" / "dev_loss.tsv").is_file()


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


@pytest.mark.parametrize("folder", [POSTS, IMAGE_FEATURES, DEMONSTRATIONS], ids=lambda folder: folder.name)
@pytest.mark.usefixtures("project_copy")
def test_missing_artifact_names_its_stage(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match=rf"artifacts/{folder.name}: .*; run `dvc repro {folder.name}`"):
        stage.main()


def test_choice_of_a_method_that_was_not_made_names_its_stage(project_copy: Path) -> None:
    set_param(project_copy, "demonstrations.method", "dense")
    with pytest.raises(ArtifactError, match=r"chosen_dense.parquet: unreadable .*; run `dvc repro demonstrations`"):
        stage.main()
