"""The commands `gemel intake …`: what a retraining found doubtful, and a person's word on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gemel.console import out
from gemel.core.errors import RequestError

if TYPE_CHECKING:
    from gemel.intake.ledger import Decision, State
    from gemel.intake.quarantine import Entry

intake = typer.Typer(no_args_is_help=True)
Keys = Annotated[list[str] | None, typer.Argument(help="of rows, as `gemel intake list` shows them")]
Run = Annotated[str | None, typer.Option(help="all rows that this run refused")]
TEXT_SHOWN = 80


@intake.callback()
def decide_on_rows() -> None:
    """Look through the rows that a retraining put in quarantine, and decide on them.

    They lie in .gemel/intake/ and stay there until somebody does.
    """


@intake.command("list")
def list_rows(
    rule: Annotated[str | None, typer.Option(help="only rows that break this rule")] = None,
    source: Annotated[str | None, typer.Option(help="only rows of this source")] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="rows that can never come in, instead")] = False,
    most: Annotated[int, typer.Option(min=1, help="rows to show")] = 100,
) -> None:
    """Show the rows in quarantine with their reasons, the latest last."""
    from gemel.intake.ledger import read_ledger
    from gemel.intake.places import state_places
    from gemel.intake.quarantine import read_quarantine, undecided

    places = state_places(Path())
    entries, ledger = read_quarantine(places), read_ledger(places)
    known = [each for each in entries.values() if each.final] if rejected else undecided(entries, ledger)
    chosen = [each for each in known if rule in (None, each.rule) and source in (None, each.content["source"])]
    if not chosen:
        out.print("No such rows." if known else "Nothing is in quarantine.")
        return
    out.print(_table(chosen[-most:], ledger.states, len(chosen)))


@intake.command("release")
def release_rows(keys: Keys = None, run: Run = None) -> None:
    """Let rows come in with the next run, in spite of what makes them suspicious.

    What a row can't do without is looked at again: its entity must be known, and its ids free.
    """
    _decide("released", keys, run, "come in with the next run")


@intake.command("discard")
def discard_rows(keys: Keys = None, run: Run = None) -> None:
    """Keep rows out for good."""
    _decide("discarded", keys, run, "are kept out for good")


def _decide(decision: Decision, keys: list[str] | None, run: str | None, what: str) -> None:
    from gemel.intake.places import state_places
    from gemel.intake.quarantine import decide

    if not keys and run is None:
        raise RequestError("give the keys of rows, as `gemel intake list` shows them, or --run")
    count = decide(state_places(Path()), decision, keys or [], run=run)
    out.print(f"{count} rows {what}.", highlight=False)


def _table(entries: list[Entry], states: dict[str, State], count: int) -> Table:
    more = "" if len(entries) == count else f", the latest {len(entries)}"
    table = Table(title=f"{count} rows in quarantine{more}")
    for column in ("key", "source", "rule", "reason", "row", "decided"):
        table.add_column(column, overflow="fold", no_wrap=column == "key")
    for each in entries:
        row, said = each.content["row"], each.content
        text = str(row.get("text") or row.get("label") or row.get("unreadable", ""))
        shown = text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…"
        state = "released, not in yet" if states.get(each.key) == "released" else ""
        cells = (each.key, f"{said['source']}/{said['batch']}:{said['line']}", each.rule, said["reason"], shown, state)
        table.add_row(*map(escape, cells))
    return table
