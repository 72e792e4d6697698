"""A single file, by what it is: how much of the posts it holds, and how it is written without them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from gemel.core.artifacts import MANIFEST
from gemel.forgetting import documents, pictures, vectors
from gemel.forgetting.rows import is_json_lines, lines_held, rewrite_lines, rewrite_table, table_rows_held
from gemel.forgetting.trace import Trace

# They speak of entities and words, whose ids and names may be those of a post; a manifest is written anew anyway.
OTHERS = frozenset({"entities.jsonl", "entities.parquet", "names.parquet", MANIFEST})
MODELS = frozenset({"backbone", "backbones"})
_PARQUET = b"PAR1"


def held_in_file(path: Path, trace: Trace, name: str | None = None) -> int:
    """How many rows, vectors, pictures or quotations of a file are the posts'; 0 of a kind that holds none.

    name: what it is called, where its path doesn't say so; "" where nothing does.
    """
    called = PurePosixPath(path.as_posix() if name is None else name)
    if called.name in OTHERS or MODELS & {*called.parts}:
        return 0
    ending = called.suffix.lower() if called.name else _ending_of(path)
    if ending == ".jsonl":
        return lines_held(path.read_bytes(), trace)
    if ending == ".parquet":
        return table_rows_held(path, trace)
    if ending == ".npy":
        return vectors.part_rows_held(path, trace)
    if ending in pictures.ENDINGS:
        return int(pictures.is_held(path, trace))
    return documents.quotes(path.read_bytes(), trace) if ending in documents.ENDINGS else 0


def rewrite_file(path: Path, trace: Trace) -> None:
    """Write a file anew without the posts; a picture goes."""
    ending = path.suffix.lower()
    if ending == ".jsonl":
        rewrite_lines(path, trace)
    elif ending == ".parquet":
        rewrite_table(path, trace)
    elif ending == ".npy":
        vectors.rewrite_part(path, trace)
    elif ending in pictures.ENDINGS:
        path.unlink()
    else:
        documents.rewrite_document(path, trace)


def _ending_of(path: Path) -> str:
    """What kind of file one without a name is, by its bytes."""
    with path.open("rb") as file:
        first = file.read(4)
    if first == _PARQUET:
        return ".parquet"
    return ".jsonl" if is_json_lines(path.read_bytes()) else ".txt"
