"""A comparison in the terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from gemel.evaluation.statistics import Figure
from gemel.report.comparable import SPLIT
from gemel.report.compare import Comparison, Outcome
from gemel.report.rendering import percent

MOST_ROWS = 20
LONGEST_TEXT = 60


def comparison_table(found: Comparison) -> Table:
    """The figures of a comparison and its verdict."""
    table = Table("", "", title=escape(f"B = {found.b.name} against A = {found.a.name}, {SPLIT}"))
    for words, side, figure in (("A", found.a, found.accuracy_a), ("B", found.b, found.accuracy_b)):
        table.add_row(f"accuracy of {words}, seed {side.seed}", f"{percent(figure.mean)} ({_interval(figure)})")
    table.add_row("difference", f"{found.change.gain.mean * 100:+.1f} ({_interval(found.change.gain)})")
    means = found.seeds_difference
    table.add_row("difference, mean of all seeds", f"{means.mean * 100:+.1f} ({_interval(means)})")
    for outcome, count in found.counts.items():
        table.add_row(outcome, str(count))
    table.add_row("McNemar's exact test", f"p = {found.change.p:.3g}")
    table.add_row("verdict", f"[bold]{found.verdict}[/]")
    for key, (a, b) in found.settings.items():
        table.add_row(escape(f"differs: {key}"), escape(f"{a} and {b}"))
    return table


def changed_table(found: Comparison, outcome: Outcome) -> Table:
    """The first mentions with an outcome: mention, text, gold and both answers."""
    rows = found.of(outcome)
    table = Table("mention", "text", "gold", "A answered", "B answered", title=f"{outcome}: {len(rows)}")
    for row in rows[:MOST_ROWS]:
        text = row.text if len(row.text) <= LONGEST_TEXT else f"{row.text[:LONGEST_TEXT]}…"
        names = [name or entity_id for entity_id, name, *_ in (row.gold, row.a, row.b)]
        table.add_row(*map(escape, (row.mention, text, *names)))
    if len(rows) > MOST_ROWS:
        table.caption = f"{len(rows) - MOST_ROWS} more; --html or --json has them all"
    return table


def _interval(figure: Figure) -> str:
    return f"{percent(figure.low)} – {percent(figure.high)}"
