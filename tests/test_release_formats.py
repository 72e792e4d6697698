"""Releases of this format and of the one before are read; others are refused."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from tiny_world import make_backbones

from gemel.bundle import read_bundle
from gemel.core.artifacts import MANIFEST
from gemel.core.errors import ArtifactError
from gemel.core.schema import Mention, Post
from gemel.core.settings import BackboneSettings
from gemel.predictor import Linker
from gemel.release_facts import read_facts

# Written by the code of format 1 over the tiny world; its links, by the same code, lie beside it.
FORMER = Path(__file__).parent / "releases/format_1"


@pytest.fixture
def release(tiny_release: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_release, tmp_path / "release")


def set_fact(release: Path, key: str, value: Any) -> None:
    path = release / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["facts"][key] = value
    path.write_text(json.dumps(manifest))


def test_release_of_the_former_format_links_as_it_did(tmp_path: Path, tiny_dataset: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        patch.chdir(tmp_path)
        make_backbones(Path("backbones"))
        linker = Linker.load(FORMER, root=tmp_path)
    posts = [
        Post("Great shot of the Jaguar this morning", (Mention("Jaguar"),), tiny_dataset / "images/00.png"),
        Post("Some other Mercury", (Mention("Mercury"),)),
    ]
    links = [[(each.entity_id, each.score) for each in link.candidates] for link in linker.link(posts)]
    expected = json.loads(FORMER.with_name("format_1_links.json").read_text())
    assert [[entity for entity, _ in link] for link in links] == [[entity for entity, _ in link] for link in expected]
    for link, wanted in zip(links, expected, strict=True):
        assert [score for _, score in link] == pytest.approx([score for _, score in wanted], abs=1e-4)


def test_what_the_former_format_lacks_has_defaults() -> None:
    facts = read_facts(FORMER, check_hashes=True)
    assert "format" not in json.loads((FORMER / MANIFEST).read_text())["facts"]
    assert (facts["format"], facts["backbone"], facts["models"], facts["metrics"]) == (1, "reference", {}, {})
    assert not read_bundle(FORMER).models


def test_present_format_says_who_wrote_it_and_with_which_models(tiny_release: Path) -> None:
    facts = read_facts(tiny_release)
    assert (facts["format"], facts["gemel"], facts["backbone"]) == (2, "0.1.0", "reference")
    assert set(facts["models"]) == {"llm", "vision"}


def test_newer_format_asks_for_a_newer_gemel(release: Path) -> None:
    set_fact(release, "format", 3)
    set_fact(release, "gemel", "9.1")
    with pytest.raises(ArtifactError, match=r"format 3, written by a newer gemel \(9\.1\); .* up to format 2: upgrade"):
        read_bundle(release)


@pytest.mark.parametrize("found", ["2", 0, -1, True, None, 1.5])
def test_garbled_format_is_refused(release: Path, found: object) -> None:
    set_fact(release, "format", found)
    with pytest.raises(ArtifactError, match="is no format of a release; run `dvc repro release`"):
        read_bundle(release)


@pytest.mark.parametrize(
    ("key", "value", "words"), [("backbone", "half", "'half' instead of"), ("models", [1], "models")]
)
def test_garbled_facts_are_refused(release: Path, key: str, value: object, words: str) -> None:
    set_fact(release, key, value)
    with pytest.raises(ArtifactError, match=words):
        read_bundle(release)


def test_local_model_with_other_content_is_refused_on_loading(release: Path, tiny_backbones: BackboneSettings) -> None:
    models = json.loads((release / MANIFEST).read_text())["facts"]["models"]
    set_fact(release, "models", models | {"llm": models["llm"] | {"sha256": "0" * 64}})
    with pytest.raises(
        ArtifactError, match=rf"made with the LLM .* of SHA-256 000000000000, but {tiny_backbones.llm.model}"
    ):
        Linker.load(release)


def test_release_for_other_content_of_a_loaded_model_is_not_taken_up(release: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        linker = Linker.load(release, watch=True)
    models = json.loads((release / MANIFEST).read_text())["facts"]["models"]
    set_fact(release, "models", models | {"llm": models["llm"] | {"sha256": "0" * 64}})
    with pytest.warns(UserWarning, match="made for other files of .* than were loaded; start the linker anew"):
        assert not linker.refresh()
