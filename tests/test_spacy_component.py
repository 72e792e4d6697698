"""The spaCy component: entities of a pipeline get the ids that the linker gives them."""

import importlib
import tomllib
import warnings
from pathlib import Path

import pytest
from tiny_world import write_picture

spacy = pytest.importorskip("spacy", reason="needs gemel[spacy]")

from spacy.language import Language  # noqa: E402
from spacy.tokens import Doc, DocBin  # noqa: E402

from gemel.core.schema import Mention, Post  # noqa: E402
from gemel.predictor import Linker  # noqa: E402
from gemel.spacy_component import GemelComponent, make_linker  # noqa: E402

PATTERNS = [{"label": "NAME", "pattern": "Jaguar"}, {"label": "PLACE", "pattern": "Amazon river"}]
TEXTS = ["The Jaguar slept", "Nothing here", "On the Amazon river, a Jaguar"]


@pytest.fixture(scope="module")
def nlp(tiny_release: Path) -> Language:
    """A blank pipeline that finds Jaguar and Amazon river, then links them."""
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(PATTERNS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        nlp.add_pipe("gemel", config={"release": str(tiny_release), "device": "cpu"})
    return nlp


@pytest.fixture(scope="module")
def linker(tiny_release: Path) -> Linker:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linker.load(tiny_release)


def test_entities_get_the_ids_that_the_linker_gives(nlp: Language, linker: Linker) -> None:
    doc = nlp(TEXTS[2])
    mentions = (Mention("Amazon river", 7, 19), Mention("Jaguar", 23, 29))
    assert [entity.kb_id_ for entity in doc.ents] == [
        link.best.entity_id for link in linker.link([Post(TEXTS[2], mentions)])
    ]


def test_spans_and_labels_stay_as_they_are(nlp: Language) -> None:
    assert [(entity.text, entity.label_) for entity in nlp(TEXTS[2]).ents] == [
        ("Amazon river", "PLACE"),
        ("Jaguar", "NAME"),
    ]


def test_candidates_come_best_first(nlp: Language) -> None:
    (entity,) = nlp(TEXTS[0]).ents
    found = entity._.gemel_candidates
    assert len(found) == 3
    assert found[0]["entity_id"] == entity.kb_id_
    assert sorted(found, key=lambda each: -each["score"]) == found


def test_image_of_the_document_is_read(nlp: Language, linker: Linker, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png", (200, 150, 40))
    doc = nlp.make_doc(TEXTS[0])
    doc._.image = str(picture)
    (entity,) = nlp(doc).ents
    (link,) = linker.link([Post(TEXTS[0], (Mention("Jaguar", 4, 10),), picture)])
    assert link.image == "read"
    assert entity._.gemel_candidates[0]["score"] == pytest.approx(link.best.score, abs=1e-5)
    (blind,) = nlp(TEXTS[0]).ents
    assert blind._.gemel_candidates[0]["score"] != pytest.approx(link.best.score, abs=1e-5)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_documents_come_back_in_their_order(nlp: Language, size: int) -> None:
    docs = list(nlp.pipe(TEXTS, batch_size=size))
    assert [doc.text for doc in docs] == TEXTS
    assert [len(doc.ents) for doc in docs] == [1, 0, 2]
    assert all(entity.kb_id_.startswith("Q") for doc in docs for entity in doc.ents)


def test_documents_of_a_batch_are_linked_together(
    nlp: Language, linker: Linker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    link = Linker.link
    monkeypatch.setattr(
        Linker, "link", lambda self, posts, most=None: seen.append(len(posts)) or link(self, posts, most)
    )
    found = [nlp.get_pipe("entity_ruler")(nlp.make_doc(text)) for text in TEXTS]
    assert len(list(GemelComponent(linker, None).pipe(found))) == 3
    assert seen == [2]


def test_fewer_candidates_can_be_asked_for(nlp: Language, linker: Linker) -> None:
    doc = nlp.get_pipe("entity_ruler")(nlp.make_doc(TEXTS[0]))
    (entity,) = GemelComponent(linker, 1)(doc).ents
    assert len(entity._.gemel_candidates) == 1


def test_pipeline_is_saved_and_loaded_with_its_settings(nlp: Language, tmp_path: Path, tiny_release: Path) -> None:
    nlp.to_disk(tmp_path / "pipeline")
    with pytest.warns(UserWarning):
        again = spacy.load(tmp_path / "pipeline")
    assert again.get_pipe_config("gemel")["release"] == str(tiny_release)
    assert [entity.kb_id_ for entity in again(TEXTS[0]).ents] == [entity.kb_id_ for entity in nlp(TEXTS[0]).ents]


def test_linked_documents_survive_being_stored(nlp: Language) -> None:
    stored = DocBin(docs=[nlp(TEXTS[0])], store_user_data=True).to_bytes()
    (doc,) = DocBin().from_bytes(stored).get_docs(nlp.vocab)
    (entity,) = doc.ents
    assert entity.kb_id_ == entity._.gemel_candidates[0]["entity_id"]


def test_entry_point_names_the_factory() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    module, name = project["entry-points"]["spacy_factories"]["gemel"].split(":")
    assert getattr(importlib.import_module(module), name) is make_linker


def test_documents_have_no_image_unless_given() -> None:
    assert Doc(spacy.blank("en").vocab, ["a"])._.image is None
