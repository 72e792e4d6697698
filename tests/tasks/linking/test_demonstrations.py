"""Solved mentions: which there are, which are chosen, and how they are shown."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from characters import decode, encode

from gemel.core.errors import ArtifactError
from gemel.core.settings import DemonstrationSettings
from gemel.posts.tables import Tables
from gemel.retrieval.encoder import Vectors
from gemel.tasks.linking.demonstrations import (
    CORPUS,
    CORPUS_SCHEMA,
    DemonstrationBook,
    choose_for_all,
    chosen_path,
    corpus_of,
    make_chooser,
    read_chosen,
    read_corpus,
    solved_mentions,
)

BM25 = DemonstrationSettings("bm25", 3, "")


@pytest.fixture(scope="module")
def chosen(tables: Tables, solved: pl.DataFrame) -> pl.DataFrame:
    return choose_for_all(tables.mentions, make_chooser(solved, BM25, {}))


def test_solved_mentions_are_those_of_the_split(solved: pl.DataFrame, tables: Tables) -> None:
    of_train = tables.mentions.filter(pl.col("split") == "train")
    assert solved["mention_id"].to_list() == of_train["mention_id"].to_list()
    assert dict(solved.schema) == CORPUS_SCHEMA | {"start": pl.Int64}


def test_solved_mention_has_its_name_image_and_caption(solved: pl.DataFrame, tables: Tables) -> None:
    row = solved.row(0, named=True)
    assert (row["name"], row["entity_id"], row["caption"]) == ("Jaguar (animal)", "Q35694", "a animal")
    assert row["image_sha256"] == tables.posts["image_sha256"][0]


def test_post_without_an_image_stays_among_the_solved(solved: pl.DataFrame) -> None:
    (row,) = solved.filter(pl.col("image_sha256").is_null()).iter_rows(named=True)
    assert row["mention_id"] == "m20"


def test_mention_without_an_entity_is_not_solved(tables: Tables) -> None:
    test = solved_mentions(tables.mentions, tables.posts, tables.entities, "test")
    assert "m21" in tables.mentions["mention_id"]
    assert "m21" not in test["mention_id"]


def test_corpus_runs_parallel_to_the_table(solved: pl.DataFrame) -> None:
    corpus = corpus_of(solved)
    assert len(corpus) == solved.height
    assert (corpus.mentions[0], corpus.texts[0], corpus.entity_ids[0]) == solved.row(0)[1:4]


def test_every_mention_gets_its_choice_in_table_order(chosen: pl.DataFrame, tables: Tables) -> None:
    assert chosen["mention_id"].to_list() == tables.mentions["mention_id"].to_list()
    assert set(chosen["rows"].list.len()) == {3}


def test_training_mention_is_never_shown_with_itself(chosen: pl.DataFrame, solved: pl.DataFrame) -> None:
    rows = dict(chosen.iter_rows())
    assert all(place not in rows[mention_id] for place, mention_id in enumerate(solved["mention_id"]))


def test_equal_mention_and_text_of_another_entity_is_not_shown_either(
    chosen: pl.DataFrame, solved: pl.DataFrame
) -> None:
    rows = dict(chosen.iter_rows())
    keys = list(solved.select("mention", "text").iter_rows())
    assert all(keys[shown] != key for key, mine in zip(keys, solved["mention_id"], strict=True) for shown in rows[mine])


def test_choice_comes_back_from_disk(chosen: pl.DataFrame, tmp_path: Path) -> None:
    chosen.write_parquet(chosen_path(tmp_path, "bm25"))
    assert read_chosen(tmp_path, "bm25") == {mention_id: tuple(rows) for mention_id, rows in chosen.iter_rows()}


def test_missing_choice_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"chosen_dense.parquet: unreadable .*; run `dvc repro demonstrations`"):
        read_chosen(tmp_path, "dense")


def test_missing_corpus_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"corpus.parquet: unreadable .*; run `dvc repro demonstrations`"):
        read_corpus(tmp_path)


def test_corpus_with_other_columns_is_refused(solved: pl.DataFrame, tmp_path: Path) -> None:
    solved.drop("caption").write_parquet(tmp_path / CORPUS)
    with pytest.raises(ArtifactError, match=r"corpus.parquet: unreadable .*caption"):
        read_corpus(tmp_path)


def test_truncated_corpus_is_refused(solved: pl.DataFrame, tmp_path: Path) -> None:
    solved.write_parquet(tmp_path / CORPUS)
    content = (tmp_path / CORPUS).read_bytes()
    (tmp_path / CORPUS).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match=r"corpus.parquet: unreadable"):
        read_corpus(tmp_path)


def test_book_shows_a_solved_mention(solved: pl.DataFrame) -> None:
    segment = DemonstrationBook(solved, encode).segment(0, (1, 2))
    shown = "[Text]The Jaguar this morning\n[Question]What does Jaguar mentioned in the text refer to?\n[Answer]"
    assert decode(segment.token_ids) == f"{shown}Jaguar (animal)\n"
    assert segment.prefix == (1, 2)


def test_book_encodes_each_demonstration_as_one_string_if_asked(solved: pl.DataFrame) -> None:
    parts: list[str] = []

    def noting(text: str) -> list[int]:
        parts.append(text)
        return encode(text)

    segment = DemonstrationBook(solved, noting, "in_segment").segment(0, None)
    assert parts == [decode(segment.token_ids)]


def test_book_knows_images_and_captions_by_row(solved: pl.DataFrame) -> None:
    book = DemonstrationBook(solved, encode)
    assert len(book) == solved.height
    assert (book.images, book.captions) == (solved["image_sha256"].to_list(), solved["caption"].to_list())


def test_book_tokenizes_each_row_once(solved: pl.DataFrame) -> None:
    parts: list[str] = []

    def noting(text: str) -> list[int]:
        parts.append(text)
        return encode(text)

    book = DemonstrationBook(solved, noting)
    assert book.segment(1, None).token_ids == book.segment(1, (1,)).token_ids
    assert len(parts) == 3


def vectors_by_colour(solved: pl.DataFrame) -> dict[str, Vectors]:
    """Image vectors that point the same way for images of one entity."""
    ways = {entity_id: way for way, entity_id in enumerate(dict.fromkeys(solved["entity_id"]))}
    images = solved.select("image_sha256", "entity_id").drop_nulls().iter_rows()
    return {sha256: np.eye(len(ways), dtype=np.float32)[ways[entity_id]] for sha256, entity_id in images}


def test_images_decide_among_equal_mentions(solved: pl.DataFrame) -> None:
    vectors, weighed = vectors_by_colour(solved), dataclasses.replace(BM25, image_weight=0.5)
    chooser = make_chooser(solved, weighed, vectors)
    for entity_id in ("Q35694", "Q30055"):
        (sha256, *_) = solved.filter(pl.col("entity_id") == entity_id)["image_sha256"].drop_nulls()
        (first, *_) = chooser.choose("Jaguar", "a new text", vectors[sha256])
        assert solved["entity_id"][first] == entity_id
    assert chooser.choose("Jaguar", "a new text") == make_chooser(solved, BM25, {}).choose("Jaguar", "a new text")


def test_random_demonstrations_stay_random_where_images_weigh(solved: pl.DataFrame) -> None:
    weighed = dataclasses.replace(BM25, method="random", image_weight=1.0)
    vectors = vectors_by_colour(solved)
    image = next(iter(vectors.values()))
    plain = make_chooser(solved, dataclasses.replace(BM25, method="random"), {})
    assert make_chooser(solved, weighed, vectors).choose("Jaguar", "x", image) == plain.choose("Jaguar", "x", image)


def test_text_finds_what_the_mention_alone_does_not(solved: pl.DataFrame) -> None:
    by_both = make_chooser(solved, dataclasses.replace(BM25, query="mention_and_text", count=1), {})
    text = solved["text"][3]
    (row,) = by_both.choose("nobody", text)
    assert solved["text"][row] == text


def test_choice_without_an_image_is_the_same_where_images_have_no_weight(chosen: pl.DataFrame, tmp_path: Path) -> None:
    chosen.write_parquet(chosen_path(tmp_path, "bm25"))
    assert read_chosen(tmp_path, "bm25", without_image=True) == read_chosen(tmp_path, "bm25")
    chosen.head(1).write_parquet(chosen_path(tmp_path, "bm25", without_image=True))
    assert len(read_chosen(tmp_path, "bm25", without_image=True)) == 1
