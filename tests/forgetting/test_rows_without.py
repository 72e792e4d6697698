"""JSON lines and tables lose the rows of a post, and nothing else."""

from pathlib import Path

import polars as pl
import pytest

from gemel.core.errors import DataError
from gemel.forgetting.files import held_in_file, rewrite_file
from gemel.forgetting.rows import is_json_lines, rewrite_lines, rewrite_table
from gemel.forgetting.trace import Trace


def test_other_lines_stay_byte_for_byte(tmp_path: Path, trace: Trace) -> None:
    path = tmp_path / "posts.jsonl"
    others = [b'{"id":  "p1", "text": "a\xe2\x80\xa8b"}\r\n', b'{"id": "p2"} broken \xff\n', b'{"id": "p3"}']
    path.write_bytes(others[0] + b'{"id": "p16", "text": "other"}\n' + others[1] + others[2])
    rewrite_lines(path, trace)
    assert path.read_bytes() == b"".join(others)


def test_reason_that_names_it_is_rewritten(tmp_path: Path, trace: Trace) -> None:
    path = tmp_path / "quarantine.jsonl"
    path.write_text('{"row": {"id": "p1"}, "reason": "contradicts p16"}\n{"row": {"id": "p2"}, "reason": "p2"}\n')
    assert held_in_file(path, trace) == 1
    rewrite_lines(path, trace)
    assert path.read_text().splitlines()[0] == '{"row": {"id": "p1"}, "reason": "contradicts [forgotten]"}'
    assert held_in_file(path, trace) == 0


def test_a_link_into_the_cache_is_replaced_not_written_through(tmp_path: Path, trace: Trace) -> None:
    kept = tmp_path / "object"
    kept.write_text('{"id": "p16"}\n')
    (tmp_path / "posts.jsonl").hardlink_to(kept)
    rewrite_lines(tmp_path / "posts.jsonl", trace)
    assert kept.read_text() == '{"id": "p16"}\n'


def test_table_goes_by_ids_so_a_twin_stays(tmp_path: Path, trace: Trace) -> None:
    table = pl.DataFrame({"mention_id": ["m16", "m1", None], "text": ["The Amazon this morning"] * 3})
    table.write_parquet(tmp_path / "corpus.parquet")
    rewrite_table(tmp_path / "corpus.parquet", trace)
    assert pl.read_parquet(tmp_path / "corpus.parquet")["mention_id"].to_list() == ["m1", None]


def test_table_without_ids_goes_by_words_and_by_rows_of_json(tmp_path: Path, trace: Trace) -> None:
    rows = ["The Amazon this morning", '{"id": "p16", "text": ""}', '{"id": "p1"}', "other", None]
    pl.DataFrame({"row": rows}).write_parquet(tmp_path / "rejected.parquet")
    assert held_in_file(tmp_path / "rejected.parquet", trace) == 2
    rewrite_file(tmp_path / "rejected.parquet", trace)
    assert pl.read_parquet(tmp_path / "rejected.parquet")["row"].to_list() == rows[2:]


def test_entities_of_the_same_id_stay(tmp_path: Path, trace: Trace) -> None:
    (tmp_path / "entities.jsonl").write_text('{"id": "p16", "label": "The Amazon this morning"}\n')
    assert held_in_file(tmp_path / "entities.jsonl", trace) == 0


def test_unreadable_table_is_named(tmp_path: Path, trace: Trace) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"a\.parquet: not a readable parquet file .*; restore it, or delete it"):
        held_in_file(tmp_path / "a.parquet", trace)


@pytest.mark.parametrize(("data", "lines"), [(b'{"a": 1}\n', True), (b'{\n "a": 1}', False), (b"[1]\n", False)])
def test_json_lines_are_told_from_a_document(data: bytes, lines: bool) -> None:
    assert is_json_lines(data) is lines
