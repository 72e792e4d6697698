"""The shipped sample data set: what it promises, and that nothing but text and picture gives an answer away."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sample.dataset import write_dataset
from sample.phrases import FILLERS, HINTS, TEMPLATES, WHEN
from sample.pictures import KINDS
from sample.world import load_world

DATA = Path(__file__).parents[2] / "data" / "sample"
Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def posts() -> list[Row]:
    return rows("posts.jsonl")


@pytest.fixture(scope="module")
def entities() -> list[Row]:
    return rows("entities.jsonl")


def of_split(posts: list[Row], split: str) -> list[Row]:
    return [post for post in posts if post["split"] == split]


def gold(post: Row) -> str | None:
    return post["mentions"][0]["entity"]


def hinted(post: Row) -> bool:
    return any(hint in post["text"] for hints in HINTS.values() for hint in hints)


def tree_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_generator_writes_the_shipped_bytes(tmp_path: Path) -> None:
    write_dataset(load_world(), tmp_path / "sample")
    assert tree_hash(tmp_path / "sample") == tree_hash(DATA)


def test_sizes(posts: list[Row], entities: list[Row]) -> None:
    real = [entity for entity in entities if entity["type"] in KINDS]
    assert len(posts) >= 2_500
    assert len(entities) >= 5_000
    assert len(real) >= 300
    assert len({entity["type"] for entity in real}) >= 20
    assert all(re.fullmatch(r"Q[1-9]\d*", entity["id"]) for entity in real)
    assert {post["split"] for post in posts} == {"train", "dev", "test"}


def test_at_least_a_hundred_mentions_stand_for_three_entities_of_different_kinds() -> None:
    groups = load_world().groups.values()
    assert sum(len(group) >= 3 for group in groups) >= 100
    assert all(len({one.kind for one in group}) == len(group) for group in groups)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_some_posts_lack_an_image_and_some_mentions_are_nil(posts: list[Row], split: str) -> None:
    some = of_split(posts, split)
    assert 0.03 < sum(post["image"] is None for post in some) / len(some) < 0.15
    assert 0.03 < sum(gold(post) is None for post in some) / len(some) < 0.1


def test_popularity_has_a_head_and_a_tail(posts: list[Row]) -> None:
    counts = sorted(Counter(gold(post) for post in of_split(posts, "train") if gold(post)).values(), reverse=True)
    tenth = len(counts) // 10
    assert sum(counts[:tenth]) > 4 * sum(counts[-tenth:])


def test_some_entities_of_the_test_split_are_never_trained_on(posts: list[Row]) -> None:
    trained = {gold(post) for post in of_split(posts, "train")}
    unseen = [post for post in of_split(posts, "test") if gold(post) and gold(post) not in trained]
    assert len(unseen) >= 50


def test_no_text_and_no_picture_occurs_twice(posts: list[Row]) -> None:
    assert len({post["text"] for post in posts}) == len(posts)
    pictures = [hashlib.sha256((DATA / post["image"]).read_bytes()).digest() for post in posts if post["image"]]
    assert len(set(pictures)) == len(pictures)


def test_file_names_and_sizes_of_pictures_say_nothing(posts: list[Row]) -> None:
    files = [DATA / post["image"] for post in posts if post["image"]]
    assert len({path.stat().st_size for path in files}) == 1
    assert all(path.stem == post["id"][1:] for path, post in zip(files, (p for p in posts if p["image"]), strict=True))


def test_neutral_phrases_name_no_kind() -> None:
    words = {word.casefold() for phrase in (*TEMPLATES, *WHEN, *FILLERS) for word in re.findall(r"\w+", phrase)}
    assert not words & {kind.casefold() for kind in KINDS}


def test_a_hint_belongs_to_one_kind() -> None:
    hints = [hint for kind in HINTS.values() for hint in kind]
    assert len(set(hints)) == len(hints)
    assert set(HINTS) == set(KINDS)


def test_a_bag_of_words_stays_at_the_text_only_level(posts: list[Row]) -> None:
    """What words can give: the hint where there is one, else the mention's most frequent entity."""
    train = [post for post in of_split(posts, "train") if gold(post)]
    test = [post for post in of_split(posts, "test") if gold(post)]
    model = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10.0, max_iter=200))
    model.fit([post["text"] for post in train], [gold(post) for post in train])
    guesses = model.predict([post["text"] for post in test])
    neutral = [guess == gold(post) for guess, post in zip(guesses, test, strict=True) if not hinted(post)]
    frequent: dict[str, Counter[str]] = defaultdict(Counter)
    for post in train:
        frequent[post["mentions"][0]["mention"]][gold(post)] += 1
    prior = [
        frequent[post["mentions"][0]["mention"]].most_common(1)[0][0] == gold(post) for post in test if not hinted(post)
    ]
    assert sum(neutral) / len(neutral) < sum(prior) / len(prior) + 0.05
