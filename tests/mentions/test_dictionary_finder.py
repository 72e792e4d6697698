"""Mentions by a dictionary: which names of a text it finds, and where."""

import random
import re
import sys

import numpy as np
import polars as pl
import pytest

from gemel.core.schema import Mention
from gemel.mentions.dictionary import MOST_WORDS, DictionaryFinder

NAMES = (
    "Jaguar",
    "Jaguar Cars",
    "New York",
    "York",
    "jaguar",
    "O'Brien",
    "Yahoo!",
    "F-15 Eagle",
    "Amazon (river)",
    "St.",
)


def found(text: str, *names: str, solved: tuple[tuple[str, str], ...] = ()) -> list[str]:
    """What stands at the offsets that are found, which must be what the mentions say."""
    mentions = DictionaryFinder(names or NAMES, solved).find(text)
    assert [text[each.start : each.end] for each in mentions] == [each.text for each in mentions]
    return [each.text for each in mentions]


def test_mention_has_its_offsets() -> None:
    assert DictionaryFinder(NAMES).find("The Jaguar slept") == (Mention("Jaguar", 4, 10),)


def test_longest_name_wins_and_none_overlaps() -> None:
    assert found("Jaguar Cars of New York, and York") == ["Jaguar Cars", "New York", "York"]
    assert found("Aa Bb Cc Dd", "Aa Bb", "Bb Cc Dd", "Dd") == ["Aa Bb", "Dd"]


@pytest.mark.parametrize("text", ["Jaguars", "preJaguar", "Jaguar_2", "Yorkshire", "the Jag uar"])
def test_part_of_a_word_is_no_mention(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("text", ["(Jaguar)", "Jaguar's", "#Jaguar", "Jaguar-like", "“Jaguar”", "Jaguar.", "Jaguar\n"])
def test_punctuation_around_a_name_is_none_of_it(text: str) -> None:
    assert found(text) == ["Jaguar"]


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("a jaguar slept", []),
        ("a JAGUAR slept", ["JAGUAR"]),
        ("in new york", []),
        ("in NEW YORK", ["NEW YORK"]),
        ("the iPhone", ["iPhone"]),
    ],
)
def test_name_needs_a_capital_letter_and_no_certain_case(text: str, mentions: list[str]) -> None:
    assert found(text, *NAMES, "iPhone") == mentions


@pytest.mark.parametrize("text", ["O’Brien", "O'BRIEN", "Yahoo!", "F-15   Eagle", "F-15\nEagle"])
def test_apostrophes_and_spaces_may_differ(text: str) -> None:
    assert found(text) == [text]


def test_accents_may_be_composed_or_not() -> None:
    assert found("In Zu\u0308rich today", "Z\u00fcrich") == ["Zu\u0308rich"]


def test_common_word_alone_is_no_mention_wherever_it_stands() -> None:
    solved = (("Will", "They will see if it will rain on Will"), ("Rose", "Rose and a rose"))
    assert found("Will it rain? Will Smith, May and Rose", "Will", "Will Smith", "May", solved=solved) == [
        "Will Smith",
        "May",
        "Rose",
    ]


def test_mention_strings_of_solved_mentions_are_names() -> None:
    assert found("Obama spoke", "Barack Obama", solved=(("Obama", "With Obama"),)) == ["Obama"]


@pytest.mark.parametrize("name", ["X", "1984", "&", "!!!", " ", "", "東", " ".join(["Long"] * (MOST_WORDS + 1))])
def test_name_that_says_too_little_or_too_much_is_left_out(name: str) -> None:
    finder = DictionaryFinder([name])
    assert len(finder) == 0
    assert finder.find(f"X 1984 & !!! 東 {name}") == ()


def test_names_labels_and_aliases_of_a_catalog_are_found() -> None:
    entities = pl.DataFrame(
        {"name": ["Jaguar Cars", "Mercury (planet)"], "label": ["Jaguar", None], "aliases": [["JLR", "Jag"], []]},
        schema={"name": pl.String, "label": pl.String, "aliases": pl.List(pl.String)},
    )
    finder = DictionaryFinder.of(entities, pl.DataFrame({"mention": ["Merc"], "text": ["The Merc"]}))
    assert [each.text for each in finder.find("Jaguar Cars, Jaguar, JLR, Jag, Merc, Mercury")] == [
        "Jaguar Cars",
        "Jaguar",
        "JLR",
        "Jag",
        "Merc",
    ]


def test_scripts_without_spaces_are_searched_inside_their_runs() -> None:
    assert found("我在東京都見ます", "東京", "東京都") == ["東京都"]
    assert found("กรุงเทพมหานคร", "กรุงเทพ") == ["กรุงเทพ"]


def test_right_to_left_text_has_offsets_in_its_order() -> None:
    text = "ביקרנו אתמול בעיר ירושלים"
    assert DictionaryFinder(["ירושלים"]).find(text) == (Mention("ירושלים", 18, 25),)
    # A preposition that is written together with its word hides the name.
    assert found("גרנו בירושלים", "ירושלים") == []


def test_particle_of_korean_hides_the_name() -> None:
    assert found("서울에서 서울", "서울") == ["서울"]


@pytest.mark.parametrize("text", ["", " \n", "…", "\u0301", "a\ud800b"])
def test_text_without_a_name_has_no_mentions(text: str) -> None:
    assert DictionaryFinder(NAMES).find(text) == ()


def test_finder_without_names_finds_nothing() -> None:
    assert DictionaryFinder([]).find("The Jaguar slept") == ()


def test_text_of_a_megabyte_is_searched_whole() -> None:
    piece = "the Jaguar of New York slept, "
    text = piece * (2**20 // len(piece) + 1)
    mentions = DictionaryFinder(NAMES).find(text)
    assert len(mentions) == 2 * text.count("Jaguar")
    assert mentions[-1] == Mention("New York", text.rindex("New York"), text.rindex("New York") + 8)


def test_names_take_a_few_bytes_each() -> None:
    finder = DictionaryFinder(f"Name {number} of many" for number in range(50_000))
    assert len(finder) == 50_000
    assert sum(sys.getsizeof(value) for value in vars(finder).values()) < 10 * 50_000
    assert [each.text for each in finder.find("Name 49999 of many and Name 50000 of many")] == ["Name 49999 of many"]


def naive(text: str, names: set[tuple[str, ...]]) -> list[tuple[int, int]]:
    """The same search, word by word; of words of letters alone."""
    words = [(match.group(), *match.span()) for match in re.finditer(r"\w+", text)]
    spans, place = [], 0
    while place < len(words):
        for length in range(len(words) - place, 0, -1):
            some = [word for word, *_ in words[place : place + length]]
            if tuple(word.lower() for word in some) in names and any(word[0].isupper() for word in some):
                spans.append((words[place][1], words[place + length - 1][2]))
                place += length
                break
        else:
            place += 1
    return spans


@pytest.mark.parametrize("seed", range(20))
def test_it_finds_what_a_search_word_by_word_finds(seed: int) -> None:
    rng = random.Random(seed)
    names = {tuple(rng.choices(("ab", "cd", "ef", "gh"), k=rng.randint(1, 4))) for _ in range(12)}
    text = " ".join(rng.choices(("ab", "Ab", "cd", "Cd", "EF", "gh", "xy"), k=60))
    mentions = DictionaryFinder(" ".join(name) for name in names).find(text)
    assert [(each.start, each.end) for each in mentions] == naive(text, names)


def test_equal_words_in_another_order_are_another_name() -> None:
    assert found("B A, A B", "A B") == ["A B"]
    assert np.unique(DictionaryFinder(["A B C", "C B A", "B A C"])._names).size == 3
