"""Why an answer: what it would have been without the image and without demonstrations."""

import dataclasses
import math
import warnings
from pathlib import Path

import pytest

from gemel.confidence.calibrator import read_calibrator
from gemel.core.schema import Explanation, Mention, Post
from gemel.predictor import Linker
from gemel.stages import RELEASE


def load(release: Path) -> Linker:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linker.load(release)


@pytest.fixture(scope="module")
def linker(tiny_release: Path) -> Linker:
    return load(tiny_release)


@pytest.fixture(scope="module")
def picture(tiny_dataset: Path) -> Path:
    return tiny_dataset / "images" / "00.png"


def explain(linker: Linker, image: Path | None, **mention: object) -> Explanation:
    (found,) = linker.explain(Post("Look at the Jaguar", (Mention("Jaguar", **mention),), image))
    return found


def test_link_is_the_one_that_is_found_without_asking_why(linker: Linker, picture: Path) -> None:
    post = Post("Look at the Jaguar", (Mention("Jaguar"),), picture)
    assert explain(linker, picture).link == linker.link([post])[0]


def test_answer_without_the_image_is_that_of_a_post_without_one_where_no_demonstration_has_one(
    linker: Linker, picture: Path
) -> None:
    found = explain(linker, picture)
    assert found.without_image != found.link.candidates
    assert found.without_image == explain(linker, None).without_image


def test_score_without_the_image_is_of_the_same_name(linker: Linker, picture: Path) -> None:
    found = explain(linker, picture)
    scores = {each.entity_id: each.score for each in found.without_image}
    best = found.link.best.entity_id
    assert found.blind_score is not None
    if best in scores:
        assert math.isclose(found.blind_score, scores[best], abs_tol=1e-5)
    assert found.image_moved == pytest.approx(found.link.best.score - found.blind_score)


def test_post_without_an_image_has_nothing_that_moved(linker: Linker) -> None:
    found = explain(linker, None)
    assert (found.blind_score, found.image_moved) == (None, None)


def test_demonstrations_are_those_that_were_shown(linker: Linker, picture: Path) -> None:
    found = explain(linker, picture)
    assert len(found.demonstrations) == 2
    assert {each.mention for each in found.demonstrations} == {"Jaguar"}
    assert all(each.image for each in found.demonstrations)
    assert {each.name for each in found.demonstrations} == {"Jaguar (animal)", "Jaguar (car maker)"}


def test_without_demonstrations_the_answer_is_another_search(linker: Linker, picture: Path) -> None:
    found = explain(linker, picture)
    assert [each.score for each in found.without_demonstrations] != [each.score for each in found.link.candidates]


def test_restriction_holds_for_every_answer(linker: Linker, picture: Path) -> None:
    found = explain(linker, picture, candidates=("Q30055",))
    for candidates in (found.link.candidates, found.without_image, found.without_demonstrations):
        assert [each.entity_id for each in candidates] == ["Q30055"]


def test_every_mention_of_a_post_is_explained(linker: Linker) -> None:
    found = linker.explain(Post("The Jaguar on Mercury", (Mention("Jaguar"), Mention("Mercury"))))
    assert [each.link.mention.text for each in found] == ["Jaguar", "Mercury"]


def test_probabilities_of_a_release_with_a_calibrator_make_one(in_project: Path) -> None:
    linker = load(RELEASE)
    post = Post("Look at the Jaguar", (Mention("Jaguar"),), in_project / "data/tiny/images/00.png")
    whole, cut = linker.link([post])[0], linker.link([post], results=1)[0]
    assert sum(each.probability for each in whole.candidates) + whole.nil_probability == pytest.approx(1)
    # What a judgement needs is searched for, whatever was asked for.
    assert cut.candidates == whole.candidates[:1]


def test_nil_is_answered_where_its_chance_is_above_the_threshold(project_copy: Path) -> None:
    post = Post("Look at the Jaguar", (Mention("Jaguar"),), project_copy / "data/tiny/images/00.png")
    calibrator = dataclasses.replace(read_calibrator(RELEASE), bias=(0.0, 0.0, 50.0), nil_above=0.5)
    linker = load(RELEASE)
    plain = linker.link([post])[0]
    linker.opened.judge._calibrator = calibrator  # type: ignore[union-attr]
    found = linker.link([post])[0]
    assert (plain.nil, plain.answer) == (False, plain.best)
    assert (found.nil, found.answer, found.sure) == (True, None, False)
    assert [each.entity_id for each in found.candidates] == [each.entity_id for each in plain.candidates]
