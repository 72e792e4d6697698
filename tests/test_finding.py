"""Posts that state no mentions get those of their text."""

import re
from pathlib import Path

import pytest

from gemel.core.errors import ArtifactError, RequestError
from gemel.core.schema import Mention, Post
from gemel.finding import make_finder, with_mentions, with_mentions_or_refused
from gemel.mentions.finder import MentionFinder
from gemel.posts.requests import RefusedLine

POST = Post("A Jaguar on the Amazon", (), post_id="p1")


@pytest.fixture(scope="module")
def finder(tiny_release: Path) -> MentionFinder:
    finder = make_finder("auto", tiny_release)
    assert finder is not None
    return finder


def test_given_needs_no_finder_and_no_release() -> None:
    assert make_finder("given", Path("gone")) is None


def test_names_and_mentions_of_the_release_are_found(finder: MentionFinder) -> None:
    assert with_mentions(POST, finder).mentions == (Mention("Jaguar", 2, 8), Mention("Amazon", 16, 22))


def test_post_that_states_mentions_keeps_them(finder: MentionFinder) -> None:
    stated = Post(POST.text, (Mention("Amazon", candidates=("Q3783",)),))
    assert with_mentions(stated, finder) == stated


def test_post_in_which_nothing_is_found_has_no_mentions(finder: MentionFinder) -> None:
    assert with_mentions(Post("nothing here", ()), finder).mentions == ()


@pytest.mark.parametrize("text", ["", " \n"])
def test_empty_text_is_refused(text: str, finder: MentionFinder) -> None:
    with pytest.raises(RequestError, match="text: is empty; give the sentence that the mentions stand in"):
        with_mentions(Post(text, ()), finder)


def test_line_that_can_not_be_read_is_refused_alone(finder: MentionFinder) -> None:
    refused = RefusedLine("line 1", "no post")
    assert with_mentions_or_refused(refused, finder) is refused
    assert with_mentions_or_refused(Post(" ", (), post_id="p2"), finder) == RefusedLine(
        "p2", "text: is empty; give the sentence that the mentions stand in"
    )


@pytest.mark.parametrize("how", ["Auto", "spacy", "spacy:", "bert", ""])
def test_unknown_finder_names_the_known_ones(how: str, tiny_release: Path) -> None:
    words = f"--mentions {how}: no such finder; known are given, auto and spacy:MODEL"
    with pytest.raises(RequestError, match=re.escape(words)):
        make_finder(how, tiny_release)


def test_missing_release_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone: no manifest\.json"):
        make_finder("auto", tmp_path / "gone")
