"""The model card of a release says what it is, in the form of the hub's."""

import shutil
import warnings
from pathlib import Path

import pytest
from documents import FENCED
from huggingface_hub import ModelCard

from gemel.card import CARD, write_card
from gemel.release_facts import read_facts


@pytest.fixture
def facts(tiny_release: Path) -> dict:
    return read_facts(tiny_release)


def test_front_matter_has_licence_tags_data_and_figures(tiny_release: Path) -> None:
    data = ModelCard.load(tiny_release / CARD).data
    assert (data.license, data.datasets, data.library_name) == ("apache-2.0", ["tiny"], "gemel")
    assert "entity-linking" in data.tags
    (test,) = [each for each in data.eval_results if each.dataset_split == "test"]
    assert (test.metric_value, test.metric_args["low"], test.metric_args["high"]) == (0.2, 0.0, 0.5)


def test_card_says_what_it_stands_on_and_its_limits(tiny_release: Path) -> None:
    card = (tiny_release / CARD).read_text()
    for words in ("## Protocol", "| data set | tiny |", "Intended use, limits", "The tiny models know nothing."):
        assert words in card


def test_code_of_the_card_loads_the_release(
    tiny_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_release, tmp_path / "RELEASE")
    monkeypatch.chdir(tmp_path)
    blocks = FENCED.finditer((tmp_path / "RELEASE" / CARD).read_text())
    (code,) = [found["code"] for found in blocks if found["language"] == "python"]
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        exec(code, names)
    assert "linker" in names


def test_figures_stand_with_their_intervals(facts: dict, tmp_path: Path) -> None:
    figure = {"mean": 0.9, "low": 0.85, "high": 0.95, "n": 5, "seeds": 3}
    write_card(tmp_path, facts | {"metrics": {"test": {"hits_at_5": figure}, "dev": {}}, "accuracy": {"test": figure}})
    card = (tmp_path / CARD).read_text()
    assert "| gold among the first 5 | 90.0 | 85.0 – 95.0 |  |" in card
    assert "Means of 3 mappers; the bundle holds the one that is best on dev." in card


def test_changes_since_the_figures_are_told(facts: dict, tmp_path: Path) -> None:
    write_card(tmp_path, facts | {"changes": {"added": 2, "removed": 0}})
    assert "The catalog was changed since the figures were measured: added 2." in (tmp_path / CARD).read_text()


def test_bar_in_a_value_breaks_no_table(facts: dict, tmp_path: Path) -> None:
    write_card(tmp_path, facts | {"protocol": {"source of the data": "a|b\nc"}})
    assert "| source of the data | a\\|b c |" in (tmp_path / CARD).read_text()


def test_embedded_models_have_licences_of_their_own(facts: dict, tmp_path: Path) -> None:
    write_card(tmp_path, facts | {"backbone": "embed"})
    assert ModelCard.load(tmp_path / CARD).data.license == "other"
    assert "The bundle holds them." in (tmp_path / CARD).read_text()


def test_models_of_the_hub_are_named_as_the_base(facts: dict, tmp_path: Path) -> None:
    hub = {"llm": {"name": "owner/llm", "revision": "a" * 40, "sha256": None}}
    write_card(tmp_path, facts | {"models": facts["models"] | hub})
    assert ModelCard.load(tmp_path / CARD).data.base_model == ["owner/llm"]
