"""Two releases behind one linker: what they share, and what stays the champion's own."""

import shutil
import warnings
from pathlib import Path

import pytest
from tiny_world import make_release

from gemel import predictor
from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.core.schema import Mention, Post
from gemel.core.settings import BackboneSettings
from gemel.gate.questions import Answer, Questions
from gemel.gate.sides import ask, grade, open_champion
from gemel.predictor import Linker

TEXT = "Great shot of the Jaguar this morning"


@pytest.fixture
def linker(tiny_release: Path) -> Linker:
    """Has the challenger open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linker.load(tiny_release)


@pytest.fixture
def champion(tiny_dataset: Path, tiny_backbones: BackboneSettings, tmp_path: Path) -> Path:
    """Of another mapper, and of a catalog that lacks the challenger's rivers but has a castle."""
    data = shutil.copytree(tiny_dataset, tmp_path / "data")
    for name in ("posts.jsonl", "entities.jsonl"):
        lines = (data / name).read_text().splitlines(keepends=True)
        (data / name).write_text("".join(line.replace("Q3783", "Q9") for line in lines))
    return make_release(tmp_path / "champion", tiny_backbones, data, seed=1)


def question(mention: str = "Jaguar") -> Post:
    return Post(TEXT, (Mention(mention),))


def test_champion_answers_with_the_challengers_catalog_and_trie(linker: Linker, champion: Path) -> None:
    challenger = linker.opened.bundle
    opened = open_champion(champion, linker)
    assert opened.bundle.catalog is challenger.catalog
    assert opened.bundle.trie is challenger.trie
    assert "Q9" not in opened.bundle.demonstrations["entity_id"].to_list()
    linker.opened = opened
    (answer,) = ask(linker, [question()])
    assert answer.entity_id in challenger.catalog


def test_champion_keeps_its_mapper_and_its_demonstrations(linker: Linker, champion: Path) -> None:
    opened = open_champion(champion, linker)
    assert opened.bundle.mapper.parent == champion
    assert len(opened.bundle.demonstrations) == 8


def test_frozen_models_are_loaded_once(linker: Linker, champion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for load in ("load_llm", "load_encoder"):
        monkeypatch.setattr(predictor, load, None)
    assert open_champion(champion, linker).bundle.mapper.parent == champion


def test_champion_that_is_gone_is_named(linker: Linker, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"the champion can't be asked what the challenger is asked: .*/gone: no"):
        open_champion(tmp_path / "gone", linker)


def test_answers_come_in_the_order_of_the_questions(linker: Linker) -> None:
    asked = [question("Mercury"), question("Jaguar"), question("Amazon")]
    assert ask(linker, asked) == [ask(linker, [each])[0] for each in asked]


def test_post_that_cannot_be_linked_is_answered_wrong(linker: Linker) -> None:
    assert ask(linker, [question("Jaguar" * 350)]) == [Answer("", False)]


def test_release_is_graded_by_its_answers(linker: Linker, tiny_release: Path) -> None:
    (answer,) = ask(linker, [question()])
    asked = Questions((question(),), (answer.entity_id,), ("p1",), {("overall", ""): (0,)})
    found = grade(linker, linker.opened, tiny_release, asked)
    assert (found.digest, found.accuracy) == (artifact_hash(tiny_release), 1.0)
