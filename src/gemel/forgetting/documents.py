"""Pages, JSON and other files for people: what they quote of a post gives way to a word."""

from __future__ import annotations

from pathlib import Path

from gemel.core.drafts import whole_file
from gemel.forgetting.trace import REMOVED, Trace

ENDINGS = frozenset({".html", ".json", ".md", ".txt", ".csv", ".tsv", ".log", ".yaml", ".yml", ".svg"})


def quotes(data: bytes, trace: Trace) -> int:
    """How often a file quotes a post."""
    return sum(1 for _ in trace.quoted.finditer(_text(data)))


def rewrite_document(path: Path, trace: Trace) -> None:
    """Write a file anew, REMOVED in the place of each quotation."""
    text = trace.quoted.sub(REMOVED, _text(path.read_bytes()))
    with whole_file(path) as draft:
        draft.write_bytes(text.encode("utf-8", "surrogateescape"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
