"""What the commands print with."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

out, err = Console(), Console(stderr=True)


def show_counts(title: str, counts: Mapping[str, object]) -> None:
    """Print a table of counts; underscores in names become spaces."""
    table = Table("what", "count", title=escape(title))
    for what, count in counts.items():
        table.add_row(escape(what.replace("_", " ")), str(count))
    out.print(table)


def bar_columns(doing: str, what: str) -> tuple[ProgressColumn, ...]:
    """The columns of a progress bar: "linking ━━━ 3/7 posts 0:00:12"."""
    return (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())
