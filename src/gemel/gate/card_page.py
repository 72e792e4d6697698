"""A decision card as Markdown, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gemel.gate.card_parts import Card, SliceEntry

HEADLINES = {"promote": "Promoted", "hold": "Held", "refuse": "Refused"}
COLUMNS = (
    "slice", "verdict", "mentions", "before", "after", "change", "95 % interval", "fixed", "broken", "p", "at least",
    "margin",
)  # fmt: skip


def card_page(card: Card) -> str:
    """The page of a card."""
    return "\n".join([*_head(card), "", *_table(card.slices), "", *_budget(card), "", *_rest(card)]) + "\n"


def _head(card: Card) -> Iterator[str]:
    yield f"# {HEADLINES[card.outcome]}: run {card.run}"
    yield ""
    yield f"{card.time:%Y-%m-%d %H:%M} UTC, {'with' if card.new_data else 'without'} new data."
    yield ""
    yield from (f"- {reason}" for reason in card.why)


def _table(slices: tuple[SliceEntry, ...]) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    for each in slices:
        yield f"| {' | '.join(_cells(each))} |"
    yield ""
    yield (
        "Accuracies in %, changes and margins in points. At least: the true change lies above it, but for a chance of "
        "alpha. p: McNemar's exact test."
    )


def _cells(each: SliceEntry) -> tuple[str, ...]:
    name = f"{each.slice.replace('_', ' ')} {each.group}".strip().replace("|", "\\|")
    few = f" ({each.enough} could do)" if each.too_small else ""
    interval = "" if each.interval is None else " to ".join(f"{100 * end:+.1f}" for end in each.interval)
    return (
        name,
        f"{each.verdict}{few}",
        str(each.n),
        *(_number(share, "{:.1f}") for share in (each.before, each.after)),
        _number(each.change, "{:+.1f}"),
        interval,
        str(each.fixed),
        str(each.broken),
        "" if each.p is None else f"{each.p:.3g}",
        _number(each.at_least, "{:+.1f}"),
        f"{100 * each.margin:g}",
    )


def _budget(card: Card) -> Iterator[str]:
    alpha = card.alpha
    yield (
        f"Budget: this decision spent {alpha.spent:.4f} expected false promotions, {len(alpha.runs_before)} within 365 "
        f"days before it {alpha.before:.4f}, of {alpha.budget:g} a year."
    )


def _rest(card: Card) -> Iterator[str]:
    start = {"champion": "from the champion's", "scratch": "from scratch"}.get(card.mapper_start or "", "not stated")
    yield from _rows(
        {
            "champion": card.releases.champion or "none yet",
            "challenger": card.releases.challenger,
            "mapper's training": start,
            "data.dvc": card.data.data_dvc or "not known",
            "test set": card.data.test,
            "catalog": card.data.catalog,
            "batch": card.data.batch or "none",
            **{f"intake, {what}": count for what, count in card.intake.items()},
            **{f"judged links left out, {why}": count for why, count in (card.data.audit_left_out or {}).items()},
            **card.facts,
        }
    )


def _rows(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {what} | {_text(value)} |" for what, value in facts.items())


def _text(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _number(share: float | None, form: str) -> str:
    return "" if share is None else form.format(100 * share)
