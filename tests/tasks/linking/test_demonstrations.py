"""Solved mentions: which there are, which are chosen, and how they are shown."""

from pathlib import Path

import polars as pl
import pytest
from characters import decode, encode

from gemel.core.errors import ArtifactError
from gemel.posts.tables import Tables
from gemel.retrieval.scorers import Bm25Scorer
from gemel.tasks.linking.demonstrations import (
    CORPUS,
    CORPUS_SCHEMA,
    DemonstrationBook,
    choose_for_all,
    chosen_path,
    corpus_of,
    read_chosen,
    read_corpus,
    solved_mentions,
)


@pytest.fixture(scope="module")
def chosen(tables: Tables, solved: pl.DataFrame) -> pl.DataFrame:
    return choose_for_all(tables.mentions, solved, Bm25Scorer(solved["mention"].to_list()), 3)


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
