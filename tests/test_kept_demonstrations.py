"""A linker that keeps what it read of demonstrations answers as one that reads them anew, release after release."""

import shutil
import warnings
import weakref
from pathlib import Path

import pytest
from tiny_world import make_release, write_picture

from gemel.answerer import Answerer, Query
from gemel.core.schema import Link, Mention, Post
from gemel.core.settings import BackboneSettings
from gemel.predictor import Linker

KEPT = 2**24
JAGUAR = Mention("Jaguar")


def load(release: Path, kept_bytes: int, watch: bool = False) -> Linker:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linker.load(release, kept_bytes=kept_bytes, watch=watch)


@pytest.fixture(scope="module")
def plain(tiny_release: Path) -> Linker:
    return load(tiny_release, 0)


@pytest.fixture
def keeping(tiny_release: Path) -> Linker:
    return load(tiny_release, KEPT)


@pytest.fixture
def posts(tmp_path: Path) -> list[Post]:
    picture = write_picture(tmp_path / "picture.png", (200, 150, 40))
    mercury = Post("Mercury and a Jaguar", (Mention("Mercury"), JAGUAR, Mention("Mercury")), picture)
    return [Post("The Jaguar this morning", (JAGUAR,), picture), mercury, Post("A Jaguar, no picture", (JAGUAR,))]


def answerer(linker: Linker) -> Answerer:
    return linker.opened.answerer


def found(linker: Linker) -> int:
    kept = answerer(linker).kept
    assert kept is not None
    return kept.facts().found


def assert_same(ours: list[Link], theirs: list[Link]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert [each.entity_id for each in one.candidates] == [each.entity_id for each in other.candidates]
        scores = [each.score for each in other.candidates]
        assert [each.score for each in one.candidates] == pytest.approx(scores, abs=1e-5)


def test_links_are_those_without_kept_demonstrations(plain: Linker, keeping: Linker, posts: list[Post]) -> None:
    for post in posts * 3:
        assert_same(keeping.link([post]), plain.link([post]))
    assert found(keeping) > 3


def test_explanation_of_a_hot_mention_is_that_without(plain: Linker, keeping: Linker, posts: list[Post]) -> None:
    for _ in range(3):
        ours, theirs = keeping.explain(posts[0]), plain.explain(posts[0])
    for seen in ("without_image", "without_demonstrations"):
        one, other = (getattr(each[0], seen) for each in (ours, theirs))
        assert [each.entity_id for each in one] == [each.entity_id for each in other]
        assert [each.score for each in one] == pytest.approx([each.score for each in other], abs=1e-5)


def test_linker_keeps_nothing_unless_it_is_told(tiny_release: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert answerer(Linker.load(tiny_release)).kept is None


def keys(linker: Linker, *rows: tuple[int, ...], sight: str = "image", text: str = "Jaguar") -> list[object]:
    asked = answerer(linker).ask([Query(JAGUAR, text, each) for each in rows], sight)  # type: ignore[arg-type]
    return [each.prompt.context_key for each in asked]


def test_key_is_of_the_demonstrations_and_what_is_seen_of_them(plain: Linker) -> None:
    others = keys(plain, (1, 0), (0, 1), (0,)) + keys(plain, (1, 0), sight="nothing")
    assert len({*others, *keys(plain, (1, 0), sight="caption")}) == 5
    assert keys(plain, (1, 0), text="Another Jaguar") == keys(plain, (1, 0))


def test_demonstrations_that_differ_in_their_image_alone_have_another_key(keeping: Linker) -> None:
    book = answerer(keeping)._book
    book._rows = [book._rows[0]] * len(book)
    assert book.images[0] != book.images[1]
    first, second = keys(keeping, (0,), (1,))
    assert first != second


def test_demonstrations_left_out_have_no_part_in_the_key(plain: Linker) -> None:
    (whole,), (part,) = keys(plain, (1, 0)), keys(plain, (1, 0), text="Jaguar".ljust(1_800, "."))
    assert part != whole
    assert part == keys(plain, (1,))[0]


def test_prompt_without_demonstrations_has_no_key(plain: Linker) -> None:
    assert keys(plain, ()) == [None]


def test_new_release_starts_with_nothing_kept_and_the_former_is_freed(
    tiny_release: Path, tiny_dataset: Path, tiny_backbones: BackboneSettings, tmp_path: Path, posts: list[Post]
) -> None:
    release = shutil.copytree(tiny_release, tmp_path / "release")
    linker = load(release, KEPT, watch=True)
    for _ in range(3):
        linker.link(posts)
    former = weakref.ref(answerer(linker).kept)
    shutil.rmtree(release)
    make_release(release, tiny_backbones, tiny_dataset, seed=1)
    for _ in range(3):
        assert_same(linker.link(posts), load(release, 0).link(posts))
    assert former() is None
