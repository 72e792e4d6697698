"""docs/retraining.md describes every setting of conf/retraining.yaml, with its default, and prefect.yaml holds."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

from flows.settings import RetrainingSettings, read_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "retraining.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE))
SECTIONS = ("gate", "intake", "monitoring")
WORDS = {"follow": "the branch that the checkout is on", "remote": "DVC's default"}
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def written(value: object) -> str:
    if value is None or value == ():
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"


def test_every_setting_has_a_row() -> None:
    assert set(RetrainingSettings.model_fields) <= set(ROWS)


@pytest.mark.parametrize("name", [name for name in RetrainingSettings.model_fields if name not in SECTIONS])
def test_default_is_the_one_in_force(name: str) -> None:
    assert ROWS[name].strip() == WORDS.get(name, written(RetrainingSettings.model_fields[name].default))


def test_shipped_settings_are_the_defaults() -> None:
    assert read_settings(ROOT) == RetrainingSettings()


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: str(deployment["name"]))
def test_deployed_flow_is_there(deployment: dict[str, str]) -> None:
    path, name = deployment["entrypoint"].split(":")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    assert getattr(module, name).name == deployment["name"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: str(deployment["name"]))
def test_page_names_the_deployment(deployment: dict[str, str]) -> None:
    assert f"`{deployment['name']}/{deployment['name']}`" in PAGE
