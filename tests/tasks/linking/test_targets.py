"""Training examples: the prompt of each solved mention, and the name to answer with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from characters import decode, encode

from gemel.core.errors import DataError
from gemel.features.tower import Vectors
from gemel.mapper.examples import Example
from gemel.tasks.linking.demonstrations import DemonstrationBook
from gemel.tasks.linking.prompt import question
from gemel.tasks.linking.targets import training_examples

EOS = 0
LLM = {"prefix_tokens": 2, "context": 2_000}
ZEROS = np.zeros(2, dtype=np.float32)


def vector_of(sha256: str | None) -> Vectors | None:
    """A vector that names its image by a number of the hash."""
    return None if sha256 is None else np.array([int(sha256[:6], 16), 1], dtype=np.float32)


def examples_of(
    solved: pl.DataFrame, rows: tuple[int, ...], look_up: Callable[[str | None], Vectors | None] = vector_of
) -> list[Example]:
    chosen = dict.fromkeys(solved["mention_id"], rows)
    return training_examples(solved, chosen, DemonstrationBook(solved, encode), look_up, encode, EOS, **LLM)


def test_every_solved_mention_becomes_an_example(solved: pl.DataFrame) -> None:
    assert len(examples_of(solved, (0,))) == solved.height


def test_target_is_the_name_and_eos(solved: pl.DataFrame) -> None:
    assert examples_of(solved, ())[0].target_ids == (*encode("Jaguar (animal)"), EOS)


def test_demonstrations_ascend_to_the_query(solved: pl.DataFrame) -> None:
    example = examples_of(solved, (4, 2))[0]
    words = [decode(segment.token_ids) for segment in example.segments]
    texts = solved["text"].to_list()
    assert [word.split("\n")[0] for word in words] == [f"[Text]{texts[row]}" for row in (2, 4, 0)]
    assert words[-1] == question(texts[0], "Jaguar")


def test_each_segment_has_the_vector_of_its_own_image(solved: pl.DataFrame) -> None:
    example = examples_of(solved, (4, 2))[0]
    images = solved["image_sha256"].to_list()
    for segment, row in zip(example.segments, (2, 4, 0), strict=True):
        assert segment.image is not None
        np.testing.assert_array_equal(segment.image, vector_of(images[row]))


def test_missing_image_has_no_vector(solved: pl.DataFrame) -> None:
    last = solved.height - 1
    example = examples_of(solved, (last, 0))[last]
    assert [segment.image is None for segment in example.segments] == [False, True, True]


def test_missing_image_may_be_a_vector_of_zeros(solved: pl.DataFrame) -> None:
    last = solved.height - 1
    example = examples_of(solved, (), lambda sha256: ZEROS if sha256 is None else vector_of(sha256))[last]
    np.testing.assert_array_equal(example.segments[0].image, ZEROS)


def test_demonstrations_that_do_not_fit_into_the_context_are_left_out(solved: pl.DataFrame) -> None:
    """The example's own length, its soft tokens and its target included, is the least context that keeps it whole."""
    book, rows = DemonstrationBook(solved, encode), (4, 2)
    chosen, one = {solved["mention_id"][0]: rows}, solved.head(1)

    def shown(context: int) -> list[str]:
        (example,) = training_examples(one, chosen, book, vector_of, encode, EOS, prefix_tokens=2, context=context)
        assert example.segments[-1].image is not None
        return [decode(segment.token_ids).split("\n")[0] for segment in example.segments]

    texts = [f"[Text]{text}" for text in solved["text"]]
    query, name = encode(question(solved["text"][0], solved["mention"][0])), encode(solved["name"][0])
    whole = sum(len(book.token_ids(row)) + 2 for row in rows) + len(query) + 2 + len(name) + 1
    assert shown(whole) == [texts[2], texts[4], texts[0]]
    assert shown(whole - 1) == [texts[4], texts[0]]


def test_long_text_is_cut_around_the_mention_as_in_linking(solved: pl.DataFrame) -> None:
    """The first of two equal mentions has no offset, the second one states its own."""
    text = f"Jaguar {'one ' * 300}Jaguar"
    two = solved.head(2).with_columns(text=pl.lit(text), start=pl.Series([None, len(text) - 6], dtype=pl.Int64))
    room = {"prefix_tokens": 2, "context": 200}
    chosen = dict.fromkeys(two["mention_id"], (4,))
    found = training_examples(two, chosen, DemonstrationBook(solved, encode), vector_of, encode, EOS, **room)
    assert [(len(example.segments), example.windowed) for example in found] == [(1, True), (1, True)]
    first, second = (decode(example.segments[0].token_ids).split("\n")[0] for example in found)
    assert (first[:10], first[-5:]) == ("[Text]Jagu", "one …")
    assert (second[:10], second[-6:]) == ("[Text]… on", "Jaguar")


def test_text_that_fits_is_not_windowed(solved: pl.DataFrame) -> None:
    assert not any(example.windowed for example in examples_of(solved, (4, 2)))


def test_nothing_to_learn_from_is_refused(solved: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="no linkable mention to train on: every mention of the split is NIL"):
        examples_of(solved.head(0), ())


def examples_without(solved: pl.DataFrame, share: float) -> list[Example]:
    chosen = dict.fromkeys(solved["mention_id"], (4, 2))
    book = DemonstrationBook(solved, encode)
    return training_examples(solved, chosen, book, vector_of, encode, EOS, without_demonstrations=share, **LLM)


@pytest.mark.parametrize(("share", "segments"), [(0.0, {3}), (0.5, {1, 3}), (1.0, {1})])
def test_share_of_the_examples_shows_no_demonstration(solved: pl.DataFrame, share: float, segments: set[int]) -> None:
    assert {len(example.segments) for example in examples_without(solved, share)} == segments


def test_larger_share_takes_demonstrations_from_more_of_the_same_examples(solved: pl.DataFrame) -> None:
    bare = [
        {place for place, example in enumerate(examples_without(solved, share)) if len(example.segments) == 1}
        for share in (0.3, 0.6, 0.9)
    ]
    assert bare[0] <= bare[1] <= bare[2]


def examples_with(solved: pl.DataFrame, **settings: Any) -> list[Example]:
    """Examples that may show rows 4, 2 and 3."""
    chosen, book = dict.fromkeys(solved["mention_id"], (4, 2, 3)), DemonstrationBook(solved, encode)
    return training_examples(solved, chosen, book, vector_of, encode, EOS, **LLM, **settings)


def shown_texts(example: Example) -> list[str]:
    return [decode(segment.token_ids).split("\n")[0].removeprefix("[Text]") for segment in example.segments[:-1]]


def test_reversed_demonstrations_keep_their_images(solved: pl.DataFrame) -> None:
    example = examples_with(solved, order="reverse")[0]
    texts, images = solved["text"].to_list(), solved["image_sha256"].to_list()
    assert shown_texts(example) == [texts[row] for row in (4, 2, 3)]
    for segment, row in zip(example.segments, (4, 2, 3, 0), strict=True):
        np.testing.assert_array_equal(segment.image, vector_of(images[row]))


def test_varied_examples_show_the_most_relevant_of_any_number(solved: pl.DataFrame) -> None:
    texts = solved["text"].to_list()
    found = [shown_texts(example) for example in examples_with(solved, vary_demonstrations=True)]
    assert {len(shown) for shown in found} == {0, 1, 2, 3}
    assert all(shown == [texts[row] for row in (3, 2, 4)][3 - len(shown) :] for shown in found)


def test_what_is_varied_follows_from_the_mention(solved: pl.DataFrame) -> None:
    sizes = [
        [len(example.segments) for example in examples_with(table, vary_demonstrations=True)]
        for table in (solved, solved.reverse())
    ]
    assert sizes[0] == sizes[1][::-1]


def imageless(examples: list[Example]) -> set[int]:
    return {place for place, example in enumerate(examples) if example.segments[-1].image is None}


def test_share_of_the_queries_loses_its_image_and_no_demonstration_does(solved: pl.DataFrame) -> None:
    none, half, every = (examples_with(solved, drop_images=share) for share in (0.0, 0.5, 1.0))
    assert imageless(none) < imageless(half) < imageless(every)
    assert len(imageless(every)) == solved.height
    assert all(segment.image is not None for example in every for segment in example.segments[:-1])


def test_query_that_lost_its_image_shows_what_would_be_chosen_without(solved: pl.DataFrame) -> None:
    without = dict.fromkeys(solved["mention_id"], (1,))
    found = examples_with(solved, drop_images=0.5, chosen_without_image=without)
    assert {len(example.segments) == 2 for example in found} == {True, False}
    assert all((len(example.segments) == 2) == (example.segments[-1].image is None) for example in found[:-1])
