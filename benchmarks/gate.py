"""How often the gate is wrong, by simulation: no model is linked, paired outcomes are drawn and decided on.

A champion and a challenger are drawn mention by mention: a share of the answers changes for the better, a share for the
worse, as between two mappers of the sample world that differ in their seed alone (4.4 % of the answers change). Slices
are of the sample's sizes, or nine times these. Reported are: false promotions, the true loss being the margin, overall
or in the tail alone; what a slice that is too small lets through; promotions by true gain; what becomes of challengers
that are as good as the champion, with and without new data; and years whose challengers all lose as much as the margin,
with their false promotions and what they spent.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from gemel.gate.budget import Spending, Spent, within_a_year
from gemel.gate.decision import Accuracies, Decision, Outcome, decide_pairs
from gemel.gate.graded import Paired
from gemel.gate.settings import Dimension, GateSettings, Margins

SEED = 20_260
CHANGED = 0.044
GAINS = (0.01, 0.02, 0.05)
RUNS_A_YEAR = 52
ACCURACY = 0.92
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """Mentions of the slices: head, tail and unseen make up the overall one."""

    head: int
    tail: int
    unseen: int
    nil: int

    @property
    def overall(self) -> int:
        """Mentions of an entity."""
        return self.head + self.tail + self.unseen

    def times(self, factor: int) -> World:
        """A world of as many times the mentions."""
        return World(*(factor * count for count in (self.head, self.tail, self.unseen, self.nil)))


# The sample's test set, and one of about 5,000 mentions of an entity.
SAMPLE = World(292, 204, 74, 30)
LARGE = World(2_561, 1_790, 649, 263)


@dataclass(frozen=True)
class Truth:
    """The true change of accuracy of mentions, by how often their entities were trained on."""

    head: float = 0.0
    tail: float = 0.0
    unseen: float = 0.0


def everywhere(change: float) -> Truth:
    """The same change for all mentions of an entity."""
    return Truth(change, change, change)


def draw(world: World, truth: Truth, rng: np.random.Generator, changed: float = CHANGED) -> list[Paired]:
    """The slices of one challenger. changed: share of the answers that would change without any true change."""
    head, tail, unseen = (
        _changes(count, change, changed, rng)
        for count, change in ((world.head, truth.head), (world.tail, truth.tail), (world.unseen, truth.unseen))
    )
    overall = (head[0] + tail[0] + unseen[0], head[1] + tail[1] + unseen[1])
    nil, alarms = _changes(world.nil, 0.0, 2 * changed, rng), _changes(world.overall, 0.0, changed / 3, rng)
    return [
        _pair("overall", world.overall, overall),
        _pair("tail", world.tail, tail),
        _pair("unseen", world.unseen, unseen),
        _pair("nil", world.nil, nil),
        _pair("nil_false_alarms", world.overall, alarms),
    ]


def _changes(count: int, change: float, changed: float, rng: np.random.Generator) -> tuple[int, int]:
    """How many mentions are fixed and broken. The share of both is `changed`, or the true change where that is more."""
    both = max(changed, abs(change))
    fixed, broken, _ = rng.multinomial(count, [(both + change) / 2, (both - change) / 2, 1 - both])
    return int(fixed), int(broken)


def _pair(dimension: Dimension, n: int, changes: tuple[int, int]) -> Paired:
    fixed, broken = changes
    before = round(ACCURACY * n)
    return Paired(dimension, "", n, before, before + fixed - broken, fixed, broken)


def decided(
    pairs: Sequence[Paired], settings: GateSettings, new_data: bool = True, spent: Spent | None = None
) -> Decision:
    """The gate's decision on the slices of one challenger."""
    overall = pairs[0]
    accuracies = Accuracies(overall.before / overall.n, overall.after / overall.n)
    return decide_pairs(pairs, accuracies, new_data=new_data, settings=settings, spent=spent or Spent())


def shares(decisions: Iterable[Decision]) -> dict[str, float]:
    """How often each outcome came, as shares."""
    counts = Counter(each.outcome.value for each in decisions)
    return {outcome.value: counts[outcome.value] / counts.total() for outcome in Outcome}


def measure(world: World, settings: GateSettings, repeats: int) -> dict[str, Any]:
    """What becomes of challengers of known truth."""
    rng, margins = np.random.default_rng(SEED), settings.margins

    def outcomes(truth: Truth, new_data: bool = True, changed: float = CHANGED) -> dict[str, float]:
        return shares(decided(draw(world, truth, rng, changed), settings, new_data) for _ in range(repeats))

    return {
        "mentions": world.overall,
        "loss_at_the_margin": outcomes(everywhere(-margins.overall)),
        "loss_at_the_margin_few_changes": outcomes(everywhere(-margins.overall), changed=margins.overall),
        "tail_loss_at_its_margin": outcomes(Truth(tail=-margins.tail)),
        "unseen_loss_of_10_points": outcomes(Truth(unseen=-0.1)),
        "called_a_gain_without_one": outcomes(everywhere(0.0), new_data=False)["promote"],
        "equal": outcomes(everywhere(0.0)),
        "equal_few_changes": outcomes(everywhere(0.0), changed=CHANGED / 3),
        **{f"gain_{gain:g}": outcomes(everywhere(gain)) for gain in GAINS},
        **{f"gain_{gain:g}_without_new_data": outcomes(everywhere(gain), False) for gain in GAINS},
    }


def years(world: World, settings: GateSettings, repeats: int, runs: int) -> dict[str, float]:
    """Years of runs whose challengers all lose as much as the margin: each promotion is a false one."""
    rng, false, spent_most, held = np.random.default_rng(SEED), [], 0.0, 0
    for _ in range(repeats):
        decisions: list[Spending] = []
        promoted = 0
        for run in range(runs):
            now = START + run * timedelta(days=365) / runs
            spent = Spent(within_a_year(decisions, now))
            found = decided(draw(world, everywhere(-settings.margins.overall), rng), settings, spent=spent)
            decisions.append(Spending(str(run), now, found.alpha))
            promoted += found.promoted
            held += found.alpha == 0.0
        false.append(promoted)
        spent_most = max(spent_most, sum(each.alpha for each in decisions))
    return {
        "runs": runs,
        "false_promotions": float(np.mean(false)),
        "worst_year": max(false),
        "spent": spent_most,
        "budget": settings.false_promotions,
        "held_without_budget": held / repeats,
    }


def run(repeats: int, years_repeats: int) -> dict[str, Any]:
    """All figures."""
    settings, sharp = GateSettings(), GateSettings(margins=Margins(overall=0.01))
    report: dict[str, Any] = {
        "alpha": settings.alpha,
        "repeats": repeats,
        "sample": measure(SAMPLE, settings, repeats),
        "large": measure(LARGE, settings, repeats),
        "large_margin_of_1_point": measure(LARGE, sharp, repeats),
        "year": years(SAMPLE, settings, years_repeats, RUNS_A_YEAR),
        "busy_year": years(SAMPLE, settings, years_repeats, 3 * RUNS_A_YEAR),
    }
    worlds = ("sample", "large", "large_margin_of_1_point")
    report["false_promotion_rate"] = max(report[world]["loss_at_the_margin"]["promote"] for world in worlds)
    report["false_refusal_rate"] = max(report[world]["equal"]["refuse"] for world in worlds)
    kept = (report[year]["false_promotions"] <= settings.false_promotions for year in ("year", "busy_year"))
    report["budget_kept"] = all(kept)
    return report


def show(report: dict[str, Any]) -> None:
    """A table for people."""
    console = Console(width=140)
    worlds = ("sample", "large", "large_margin_of_1_point")
    table = Table("challenger", *(f"{world.replace('_', ' ')}, n {report[world]['mentions']}" for world in worlds))
    for key in report["sample"]:
        if key != "mentions":
            table.add_row(key.replace("_", " "), *(_cell(report[world][key]) for world in worlds))
    console.print(f"promote / hold / refuse, in %; alpha {report['alpha']:.4f}, {report['repeats']} challengers each")
    console.print(table)
    for year in ("year", "busy_year"):
        console.print(f"{year}: {', '.join(f'{what} {value:.3g}' for what, value in report[year].items())}")


def _cell(found: Any) -> str:
    if isinstance(found, dict):
        return " / ".join(f"{100 * found[outcome.value]:.2f}" for outcome in Outcome)
    return f"{100 * found:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 challengers of each kind in place of 5,000")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    report = run(200, 10) if arguments.quick else run(5_000, 250)
    show(report)
    if arguments.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
