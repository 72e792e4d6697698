"""A folder of text files that is written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gemel.core.drafts import draft_beside, put_in_place
from gemel.core.errors import GemelError


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files of UTF-8 into a new folder, in place of the one that is there. What is no character becomes "?".

    texts: by the file's name; their line ends are kept as they are.
    Raises: GemelError if it can't be written; what was there stays then.
    """
    try:
        with draft_beside(folder) as draft:
            for name, text in texts.items():
                (draft / name).write_text(text, encoding="utf-8", errors="replace", newline="")
            put_in_place(draft, folder)
    except OSError as error:
        raise GemelError(f"{folder}: can't be written ({error}); make room, or see who may write there") from error
