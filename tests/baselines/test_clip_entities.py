"""The image picks the entity: of all, or of those with a name that holds the mention."""

from collections.abc import Sequence

import numpy as np
import pytest
from small_catalog import ENTITIES, NAMES, asked, ids

from gemel.baselines.clip import ClipAmongNames, ClipEntities, entity_texts
from gemel.features.tower import Vectors

WORDS = ("animal", "car", "river")
VECTORS = {word: np.eye(3, dtype=np.float32)[place] for place, word in enumerate(WORDS)}


class WordSpace:
    """In place of CLIP: which word a text ends with; images are there already."""

    def read(self, texts: Sequence[str]) -> Vectors:
        return np.array([[text.endswith(word) for word in WORDS] for text in texts], dtype=np.float32)

    def project(self, vectors: Vectors) -> Vectors:
        return vectors


@pytest.fixture
def clip() -> ClipEntities:
    return ClipEntities(ENTITIES, WordSpace(), VECTORS, 2)  # type: ignore[arg-type]


@pytest.fixture
def among(clip: ClipEntities) -> ClipAmongNames:
    return ClipAmongNames(clip, ENTITIES, NAMES)


def test_entity_is_read_with_its_type_where_it_has_one() -> None:
    texts = entity_texts(ENTITIES)
    assert (texts[0], texts[3]) == ("a photo of Jaguar (animal), animal", "a photo of Jaguar (film)")


def test_image_alone_decides(clip: ClipEntities) -> None:
    found = clip.answer(asked("Jaguar", "Jaguar", images=["river", "animal"]))
    assert [ids(answer)[0] for answer in found] == ["Q3", "Q1"]


def test_entities_that_look_alike_go_by_popularity(clip: ClipEntities) -> None:
    (answer,) = clip.answer(asked("Jaguar", images=["river"]))
    assert ids(answer) == ["Q3", "Q2"]


def test_mention_without_an_image_gets_no_answer(clip: ClipEntities, among: ClipAmongNames) -> None:
    assert [ids(*each.answer(asked("Jaguar"))) for each in (clip, among)] == [[], []]


@pytest.mark.parametrize("mention", ["Jaguar", "jagu"])
def test_only_names_that_hold_the_mention_compete(among: ClipAmongNames, mention: str) -> None:
    (answer,) = among.answer(asked(mention, images=["river"]))
    assert ids(answer) == ["Q2", "Q0"]


def test_image_decides_among_the_names(among: ClipAmongNames) -> None:
    (answer,) = among.answer(asked("Jaguar", images=["animal"]))
    assert ids(answer)[0] == "Q1"


def test_mention_that_no_name_holds_gets_no_answer(among: ClipAmongNames) -> None:
    (answer,) = among.answer(asked("Jaguar.*", images=["animal"]))
    assert ids(answer) == []
