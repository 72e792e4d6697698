"""Mentions by a spaCy pipeline: a small one that is trained here, and pipelines that can't be used."""

import random
import sys
from pathlib import Path

import pytest

spacy = pytest.importorskip("spacy", reason="needs gemel[spacy]")

from spacy.training import Example  # noqa: E402

from gemel.core.errors import BackboneError, RequestError  # noqa: E402
from gemel.core.schema import Mention  # noqa: E402
from gemel.mentions.spacy_pipeline import SpacyFinder  # noqa: E402

PLACES, TIMES = ("Oslo", "Bergen", "Narvik"), ("Monday", "Tuesday", "Friday")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of English words whose NER was trained to know three places and three days, saved to a folder."""
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    examples = []
    for place in PLACES:
        for time in TIMES:
            text = f"We saw {place} on {time} again"
            start = text.index(time)
            entities = [(7, 7 + len(place), "GPE"), (start, start + len(time), "DATE")]
            examples.append(Example.from_dict(nlp.make_doc(text), {"entities": entities}))
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: examples)
    shuffle = random.Random(0)
    for _ in range(15):
        shuffle.shuffle(examples)
        nlp.update(examples)
    folder = tmp_path_factory.mktemp("pipeline") / "places"
    nlp.to_disk(folder)
    return folder


def test_entities_become_mentions_with_offsets_and_dates_do_not(model: Path) -> None:
    assert SpacyFinder(str(model)).find("We saw Bergen on Tuesday again") == (Mention("Bergen", 7, 13),)


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_text_without_words_has_no_mentions(model: Path, text: str) -> None:
    assert SpacyFinder(str(model)).find(text) == ()


def test_text_that_is_longer_than_the_pipeline_reads_is_refused(model: Path) -> None:
    with pytest.raises(RequestError, match=r"a text of 1048576 characters: .* reads 1000000 at most; cut the text"):
        SpacyFinder(str(model)).find("x" * 2**20)


def test_missing_pipeline_says_how_to_get_it() -> None:
    with pytest.raises(BackboneError, match=r"'en_no_such_pipeline': can't be loaded .*spacy download en_no_such"):
        SpacyFinder("en_no_such_pipeline")


def test_folder_that_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="can't be loaded"):
        SpacyFinder(str(tmp_path))


@pytest.mark.parametrize("component", [None, "sentencizer"])
def test_pipeline_that_finds_no_entities_is_refused(tmp_path: Path, component: str | None) -> None:
    nlp = spacy.blank("en")
    if component:
        nlp.add_pipe(component)
    nlp.to_disk(tmp_path / "none")
    with pytest.raises(BackboneError, match=rf"has .*{component or 'no component'}.* and none that finds entities"):
        SpacyFinder(str(tmp_path / "none"))


def test_rules_may_find_entities_too(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "ORG", "pattern": "Jaguar"}])
    nlp.to_disk(tmp_path / "rules")
    assert SpacyFinder(str(tmp_path / "rules")).find("The Jaguar") == (Mention("Jaguar", 4, 10),)


def test_without_spacy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(BackboneError, match=r"--mentions spacy:en_core_web_sm needs spaCy; run `pip install 'gemel"):
        SpacyFinder("en_core_web_sm")
