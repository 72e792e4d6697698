"""The languages of a sample of the posts."""

import polars as pl

from gemel.posts.languages import UNDECIDED, sample_languages

TEXTS = {
    "a": "Das ist ein deutscher Satz, der etwas über den Menschen auf dem Bild erzählt und nicht mehr",
    "b": "This is an English sentence that says something about the person in the picture and no more",
    "c": "Ann Lee, 1922",
}


def posts_of(texts: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame({"post_id": list(texts), "text": list(texts.values())})


def test_language_is_told_where_the_text_shows_it() -> None:
    found = dict(sample_languages(posts_of(TEXTS)).iter_rows())
    assert found == {"a": "de", "b": "en", "c": UNDECIDED}


def test_sample_is_of_the_size_and_the_same_in_any_order() -> None:
    posts = posts_of({f"p{number}": "Ann Lee" for number in range(40)})
    sample = sample_languages(posts, 10)
    again = sample_languages(posts.reverse(), 10)
    assert sample.height == 10
    assert set(sample["post_id"]) == set(again["post_id"])


def test_sample_of_a_grown_data_set_keeps_most_of_its_posts() -> None:
    texts = {f"p{number}": "Ann Lee" for number in range(100)}
    before = set(sample_languages(posts_of(texts), 50)["post_id"])
    after = set(sample_languages(posts_of(texts | {"new": "Ann Lee"}), 50)["post_id"])
    assert len(before & after) >= 49


def test_no_posts_have_no_languages() -> None:
    assert sample_languages(posts_of({})).is_empty()
