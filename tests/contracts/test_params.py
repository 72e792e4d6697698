"""params.yaml is the composed record of conf/, and every section of it is known."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gemel.core.config import parse_section
from gemel.core.settings import (
    BackboneSettings,
    BaselineSettings,
    ConfidenceSettings,
    DemonstrationSettings,
    EvaluationSettings,
    ImagesSettings,
    MapperSettings,
    PromptSettings,
    RuntimeSettings,
)
from gemel.posts.acceptance import read_accepted
from gemel.posts.checks import Limits

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
HUB = sorted(path.stem for path in (CONF / "backbone").iterdir() if not path.stem.startswith("tiny"))
MEMBERS = sorted(path.stem for path in (CONF / "backbone").glob("tiny-*.yaml"))
SECTIONS = {
    "backbone": BackboneSettings,
    "images": ImagesSettings,
    "demonstrations": DemonstrationSettings,
    "prompt": PromptSettings,
    "mapper": MapperSettings,
    "evaluation": EvaluationSettings,
    "baselines": BaselineSettings,
    "confidence": ConfidenceSettings,
    "runtime": RuntimeSettings,
}


def composed(*overrides: str) -> dict[str, object]:
    with initialize_config_dir(str(CONF), version_base=None):
        return OmegaConf.to_container(compose("config", overrides=list(overrides)), resolve=True)


def test_committed_params_equal_the_composed_defaults() -> None:
    assert yaml.safe_load((ROOT / "params.yaml").read_text()) == composed()


@pytest.mark.parametrize("backbone", sorted(path.stem for path in (CONF / "backbone").iterdir()))
@pytest.mark.parametrize("dataset", sorted(path.stem for path in (CONF / "dataset").iterdir()))
def test_every_choice_of_groups_gives_known_settings(backbone: str, dataset: str) -> None:
    params = composed(f"backbone={backbone}", f"dataset={dataset}")
    assert params["dataset"] == dataset
    for section, settings in SECTIONS.items():
        parse_section(params[section], section, settings)


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("protocol", sorted(path.stem for path in (CONF / "protocol").iterdir()))
def test_every_protocol_gives_known_settings(protocol: str, section: str) -> None:
    params = composed(f"protocol={protocol}", "backbone=opt-6.7b", "dataset=gemel_jsonl")
    parse_section(params[section], section, SECTIONS[section])


def test_reference_replaces_settings_of_the_backbone_and_of_the_project() -> None:
    params: Any = composed("protocol=reference", "backbone=opt-6.7b", "dataset=gemel_jsonl")
    assert (params["backbone"]["llm"]["model"], params["backbone"]["llm"]["dtype"]) == ("facebook/opt-6.7b", "float16")
    assert (params["demonstrations"]["method"], params["demonstrations"]["count"]) == ("dense", 16)
    assert (params["prompt"]["names"], params["evaluation"]["graded_by"]) == ("in_segment", "name")
    assert (params["mapper"]["seeds"], params["mapper"]["prefix_tokens"]) == ([42], 4)


def test_reference_leaves_what_it_does_not_name() -> None:
    default, reference = composed(), composed("protocol=reference")
    for section in ("dataset", "images", "posts", "runtime"):
        assert reference[section] == default[section]


def test_a_setting_of_one_run_replaces_the_protocols() -> None:
    params: Any = composed("protocol=reference", "evaluation.graded_by=id")
    assert params["evaluation"]["graded_by"] == "id"


def test_reference_takes_a_checkpoint_with_one_more_setting() -> None:
    folder = "data/checkpoints/wikidiverse"
    mapper: Any = composed("protocol=reference", "backbone=opt-6.7b", f"mapper.checkpoint={folder}")["mapper"]
    assert (mapper["tracked"], len(mapper["seeds"])) == (folder, 1)


@pytest.mark.parametrize("folder", ["data/checkpoints/wikidiverse", "/mnt/opt-6.7b_82_77"])
def test_checkpoint_is_what_dvc_watches(folder: str) -> None:
    mapper = composed(f"mapper.checkpoint={folder}", "mapper.seeds=[0]")["mapper"]
    assert parse_section(mapper, "mapper", MapperSettings).tracked == folder


def test_without_a_checkpoint_dvc_watches_what_is_always_there() -> None:
    mapper = parse_section(composed()["mapper"], "mapper", MapperSettings)
    assert mapper.checkpoint is None
    assert (ROOT / mapper.tracked).is_file()


def test_posts_section_is_known() -> None:
    parse_section(composed()["posts"], "posts", Limits)


@pytest.mark.parametrize("path", sorted((CONF / "accepted").iterdir()), ids=lambda path: path.stem)
def test_accepted_profiles_can_be_read(path: Path) -> None:
    assert read_accepted(CONF / "accepted", path.stem) is not None


@pytest.mark.parametrize("backbone", HUB)
def test_backbones_of_the_hub_are_watched_through_their_settings_file(backbone: str) -> None:
    assert composed(f"backbone={backbone}")["backbone"]["tracked"] == f"conf/backbone/{backbone}.yaml"


@pytest.mark.parametrize("member", MEMBERS)
def test_member_takes_the_place_of_one_model_and_is_watched(member: str) -> None:
    tiny: Any = composed("backbone=tiny")
    params: Any = composed(f"backbone={member}")
    folder = f"data/members/{member}"
    assert params["backbone"].pop("tracked") == folder
    changed = [part for part in ("llm", "vision") if params["backbone"][part] != tiny["backbone"][part]]
    assert len(changed) == 1
    assert params["backbone"][changed[0]].pop("model").endswith(folder)
    for each in (params, tiny):
        each["backbone"].pop("tracked", None)
        each["backbone"][changed[0]].pop("model", None)
    assert params == tiny
