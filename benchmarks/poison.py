"""What poisoned feedback does to a challenger, and what the quarantine and the gate make of it, on the sample world.

New posts and pictures, none of them of the data set, are corrected: honestly, to another entity of their mention at
random ("mixed up"), or all posts of one mention to one of its entities ("one target"). As many corrections as 0.1, 1
and 5 % of the training mentions go, as the service keeps them, into the training data of a copy of the project. The
challenger shows them as demonstrations; with `--train` its mapper and its confidence are trained on them as well. The
champion is the release of the project. Reported are, for each kind and share: what the intake keeps out, how often the
gate promotes, holds and refuses, how far accuracy moved on the test set and on other new posts of the corrected
mentions, and by which slices the challenger was refused. With `--screened` what the intake keeps out does not go into
the data. Needs `make repro`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from rich.console import Console
from rich.table import Table

from benchmarks.poisoned_feedback import Said, kept_out, write_feedback
from benchmarks.poisoned_releases import Referee, shown, trained
from benchmarks.sample_release import NewPosts
from gemel.gate.decision import Decision, Outcome
from gemel.gate.verdicts import Verdict
from sample.dataset import dataset_texts
from sample.world import Inhabitant, World, load_world

Kind = Literal["clean", "mixed up", "one target"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SEED = 91_700
# New posts of the corrected mentions that both releases are asked about.
ASKED = 120
LET_IN = "let in"


@dataclass(frozen=True)
class Case:
    """Corrections of a kind. share: of the training mentions."""

    kind: Kind
    share: float
    repeat: int


@dataclass(frozen=True)
class Result:
    """What became of a challenger.

    intake: corrections by what it made of them; None where there is no intake. harm: change of accuracy on other posts
    of the corrected mentions. stopped: why the checks of the stage `posts` did; there is no decision then.
    """

    case: Case
    corrections: int
    intake: dict[str, int] | None
    decision: Decision | None
    harm: float = 0.0
    stopped: str = ""


def corrections_of(case: Case, count: int, world: World, drawn: NewPosts, rng: random.Random) -> list[Said]:
    """Corrections of new posts; wrong ones never say what is true."""
    groups = [group for group in world.groups.values() if len(group) > 1]
    if case.kind == "one target":
        target = rng.choice(rng.choice(groups))
        meant, said = [_other(target, world, rng) for _ in range(count)], [target] * count
    else:
        among = [one for group in groups for one in group]
        meant = rng.choices(among, [one.popularity for one in among], k=count)
        said = meant if case.kind == "clean" else [_other(one, world, rng) for one in meant]
    return [Said(post, one.qid, real.qid) for post, one, real in zip(drawn.of(meant), said, meant, strict=True)]


def _other(one: Inhabitant, world: World, rng: random.Random) -> Inhabitant:
    return rng.choice([other for other in world.groups[one.mention] if other is not one])


def measure(case: Case, referee: Referee, project: Path, *, train: bool, screened: bool) -> Result:
    """Make a challenger of poisoned data and have the gate decide on it."""
    rng = random.Random(f"{SEED} {case}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        drawn = NewPosts(folder / "drawn", dataset_texts(project / "data/sample"), rng.randrange(2**31))
        count = max(1, round(case.share * referee.trained_on))
        world = load_world()
        said = corrections_of(case, count, world, drawn, rng)
        feedback = write_feedback(said, folder / ".gemel/feedback", rng)
        out = kept_out(folder, project / "data", "sample")
        intake = None if out is None else _counts(feedback, out)
        held_back = set().union(*out.values()) if screened and out is not None else set()
        taken = [row for row in feedback if row["text"] not in held_back]
        challenger = (trained if train else shown)(taken, folder, project, referee)
        if isinstance(challenger, str):
            return Result(case, count, intake, None, stopped=challenger)
        asked = drawn.of(
            rng.choices([one for each in said for one in world.groups[each.post.mentions[0].text]], k=ASKED)
        )
        return Result(case, count, intake, referee.decide(challenger), referee.change(challenger, asked))


def _counts(feedback: Sequence[dict[str, Any]], out: dict[str, set[str]]) -> dict[str, int]:
    texts = [row["text"] for row in feedback]
    counts = {what: sum(text in found for text in texts) for what, found in out.items()}
    return {LET_IN: len(texts) - sum(counts.values()), **counts}


def summary(results: Sequence[Result]) -> list[dict[str, Any]]:
    """One row for each kind and share."""
    rows = []
    for kind, share in dict.fromkeys((each.case.kind, each.case.share) for each in results):
        some = [each for each in results if (each.case.kind, each.case.share) == (kind, share)]
        decisions = [each.decision for each in some if each.decision is not None]
        intake = sum((Counter(each.intake) for each in some if each.intake is not None), Counter())
        rows.append(
            {
                "kind": kind,
                "share": share,
                "corrections": some[0].corrections,
                "repeats": len(some),
                "intake": dict(intake) if some[0].intake is not None else None,
                "stopped_by_checks": sum(bool(each.stopped) for each in some),
                **{outcome.value: sum(each.outcome is outcome for each in decisions) for outcome in Outcome},
                "changes": [each.slices[0].slice.gain for each in decisions],
                "changes_of_corrected_mentions": [each.harm for each in some if each.decision is not None],
                "dropped": dict(Counter(v.title for d in decisions for v in d.slices if v.verdict is Verdict.DROPPED)),
            }
        )
    return rows


def show(rows: Sequence[dict[str, Any]]) -> None:
    """A table for people."""
    columns = (
        "feedback",
        "share",
        "corrections",
        "intake",
        "promote",
        "hold",
        "refuse",
        "checks",
        "points",
        "on their mentions",
        "dropped",
    )
    table = Table(*columns)
    for row in rows:
        points = [
            " ".join(f"{100 * change:+.1f}" for change in row[key])
            for key in ("changes", "changes_of_corrected_mentions")
        ]
        intake = "none" if row["intake"] is None else ", ".join(f"{n} {what}" for what, n in row["intake"].items())
        counts = (row[key] for key in ("promote", "hold", "refuse", "stopped_by_checks"))
        dropped = ", ".join(f"{title} {count}" for title, count in row["dropped"].items())
        head = (row["kind"], f"{row['share']:.1%}", str(row["corrections"]), intake)
        table.add_row(*head, *map(str, counts), *points, dropped)
    Console(width=150).print(table)


def report_of(results: Sequence[Result]) -> dict[str, Any]:
    """All figures, and the two that matter most."""
    clean = [each for each in results if each.case.kind == "clean"]
    poisoned = [each for each in results if each.case.kind != "clean"]
    return {
        "rows": summary(results),
        "false_refusals": sum(each.decision is not None and each.decision.outcome is Outcome.REFUSE for each in clean),
        "clean": len(clean),
        "poisoned_promoted": sum(each.decision is not None and each.decision.promoted for each in poisoned),
        "poisoned": len(poisoned),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one challenger of each kind, of 5 %% corrections")
    parser.add_argument("--train", action="store_true", help="train the mapper on it; minutes for each challenger")
    parser.add_argument("--screened", action="store_true", help="leave out what the intake keeps out")
    parser.add_argument("--repeats", type=int, default=3, help="of each kind and share (default: 3)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    shares, repeats = ((0.05,), 1) if arguments.quick else ((0.001, 0.01, 0.05), arguments.repeats)
    project = Path.cwd()
    referee = Referee(project)
    cases = [Case(kind, share, repeat) for kind in KINDS for share in shares for repeat in range(repeats)]
    results = [measure(case, referee, project, train=arguments.train, screened=arguments.screened) for case in cases]
    report = report_of(results)
    show(report["rows"])
    if arguments.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
