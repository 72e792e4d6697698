"""Merged ids: `redirects.tsv` of a data set says which living id an old one stands for.

One pair a line, `old<TAB>living`, UTF-8, without a header. Chains are followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gemel.core.errors import DataError
from gemel.posts.source_lines import text_lines

REDIRECTS = "redirects.tsv"


def read_redirects(path: Path) -> dict[str, str]:
    """Read old ids with the living id at the end of their chain, in the order of the file.

    Raises: DataError, naming the file and the line, if a line isn't such a pair, an old id has two targets, or a chain
    never ends.
    """
    steps: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, text in text_lines(path):
        if not text.strip():
            continue
        old, *living = (cell.strip() for cell in text.split("\t"))
        if len(living) != 1 or not old or not living[0]:
            raise DataError(f"{path} line {number}: expected an old and a living id with a tab between, found {text!r}")
        if steps.setdefault(old, living[0]) != living[0]:
            raise DataError(
                f"{path} line {number}: {old!r} is redirected to {living[0]!r}, "
                f"but on line {lines[old]} to {steps[old]!r}; keep one of the two"
            )
        lines.setdefault(old, number)
    return _ends(path, steps)


def write_redirects(path: Path, redirects: Mapping[str, str]) -> None:
    """Write the pairs, sorted by the old id."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{old}\t{living}\n" for old, living in sorted(redirects.items()))


def _ends(path: Path, steps: Mapping[str, str]) -> dict[str, str]:
    ends: dict[str, str] = {}
    for start in steps:
        chain: dict[str, None] = {}
        at = start
        while at in steps and at not in ends:
            if at in chain:
                circle = list(chain)[list(chain).index(at) :]
                raise DataError(f"{path}: redirects run in a circle, {' → '.join([*circle, at])}; remove one of them")
            chain[at] = None
            at = steps[at]
        ends |= dict.fromkeys(chain, ends.get(at, at))
    return {old: ends[old] for old in steps}
