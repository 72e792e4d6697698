"""What corrections do on the sample world: for their entities, for all others, and how soon.

New posts and pictures, none of them of the data set, are drawn of entities that only a demonstration can teach or that
no training met; 30 of these that the linker is least right about, on posts that serve for nothing else, are corrected
with 0, 1, 3 and 10 posts each, all at once, and asked about on held-out posts. Posts about other entities tell what it
cost these: apart, those whose mention is a corrected one's, and all others. Everything goes through `changing()`, in a
copy of the project; at last the corrections are removed, and the release must be byte for byte what it was.
Then single corrections with an image that has no vector yet, in a process that has a linker: seconds from the
correction to the first answer that is shown it. Needs `make repro`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.sample_release import NewPosts, load_quietly
from gemel.bundle import read_bundle
from gemel.changes.corrections import add_corrections, read_corrections, remove_corrections, solve
from gemel.core.artifacts import artifact_hash
from gemel.core.schema import Post
from gemel.evaluation.statistics import Figure, Hits, difference, share
from gemel.living import changing
from gemel.predictor import Linker
from gemel.stages import RELEASE
from sample.dataset import dataset_texts
from sample.world import Inhabitant, load_world

SEED = 730_021
LEVELS = (0, 1, 3, 10)
WANTED_COLLATERAL, WANTED_SECONDS = 0.005, 5.0


@dataclass(frozen=True)
class Size:
    """entities: corrected. chosen_by, held_out: posts of each to choose them by, and to ask about. single: corrections
    that are timed."""

    entities: int
    chosen_by: int
    held_out: int
    others: int
    single: int


FULL, QUICK = Size(30, 6, 12, 1_000, 5), Size(6, 2, 4, 60, 2)


def project_copy(folder: Path) -> None:
    """A project that shares this one's data and artifacts, but for the release and the changes."""
    for name in ("artifacts", "data"):
        (folder / name).mkdir()
        for path in Path(name).iterdir():
            if path.name not in ("release", "changes"):
                (folder / name / path.name).symlink_to(path.resolve())
    (folder / "params.yaml").write_bytes(Path("params.yaml").read_bytes())


def hits_of(linker: Linker, posts: Sequence[Post]) -> Hits:
    """Whether each post's mention is linked right, (posts,)."""
    return np.array([link.best.entity_id == link.mention.entity_id for link in linker.link(posts)], dtype=float)


def quietly_build() -> None:
    """The release, without what the stage says."""
    from gemel.stages import release

    with contextlib.redirect_stdout(io.StringIO()):
        release.main()


def correct(posts: Sequence[Post]) -> None:
    """Add corrections to the release of the current folder."""
    new = solve(posts, read_bundle(RELEASE).catalog)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), changing() as changes:
        add_corrections(changes, new)


def forget_all(folder: Path) -> None:
    ids = [each.id for each in read_corrections(folder)]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), changing() as changes:
        remove_corrections(changes, ids)


def choose(linker: Linker, drawn: NewPosts, who: Sequence[Inhabitant], size: Size) -> tuple[list[Inhabitant], Hits]:
    """The entities that the linker is least right about, and its accuracy on the posts that they were chosen by."""
    asked = drawn.of([one for one in who for _ in range(size.chosen_by)])
    accuracy = hits_of(linker, asked).reshape(len(who), size.chosen_by).mean(axis=1)
    worst = np.argsort(accuracy, kind="stable")[: size.entities]
    return [who[place] for place in worst], accuracy[worst]


def of_entities(hits: Hits, entities: int) -> Figure:
    """Accuracy, with the interval over entities: the mentions of one are alike."""
    figure = share(hits.reshape(entities, -1).mean(axis=1)[None])
    assert figure is not None
    return figure


def run(size: Size) -> dict[str, Any]:
    """All of it, in the current folder, a copy of the project."""
    world, texts = load_world(), dataset_texts(Path("data/sample"))
    drawn = NewPosts(Path("drawn"), texts, SEED)
    quietly_build()
    linker, before = load_quietly(RELEASE), artifact_hash(RELEASE)
    rare = [one for one in world.inhabitants if one.role != "common"]
    corrected, chosen_accuracy = choose(linker, drawn, rare, size)
    ids = {one.qid for one in corrected}
    held_out = drawn.of([one for one in corrected for _ in range(size.held_out)])
    corrections = [drawn.of(corrected) for _ in range(max(LEVELS))]
    others = drawn.by_popularity([one for one in world.inhabitants if one.qid not in ids], size.others)
    mentions = {one.mention for one in corrected}
    same = np.array([post.mentions[0].text in mentions for post in others])
    report: dict[str, Any] = {
        "entities": len(corrected),
        "of_them_unseen": sum(one.role == "unseen" for one in corrected),
        "chosen_by_accuracy": float(chosen_accuracy.mean()),
        "held_out": len(held_out),
        "others": len(others),
        "others_of_a_corrected_mention": int(same.sum()),
    }
    first: Hits | None = None
    made = 0
    for level in LEVELS:
        if level:
            correct([post for round_ in corrections[made:level] for post in round_])
            linker.refresh()
            made = level
        report[f"accuracy_{level}"] = of_entities(hits_of(linker, held_out), len(corrected)).as_dict()
        hits = hits_of(linker, others)
        first = hits if first is None else first
        for name, where in (("others", None), ("same_mention", same), ("other_mentions", ~same)):
            change = difference(hits[None], first[None], where)
            report[f"{name}_{level}"] = change and change.as_dict()
    folder = Path("data/changes/sample")
    forget_all(folder)
    report["removal_restores"] = artifact_hash(RELEASE) == before
    report |= time_single(linker, drawn, corrected, size.single)
    forget_all(folder)
    report["removal_restores"] &= artifact_hash(RELEASE) == before
    report["collateral"] = report[f"others_{max(LEVELS)}"]["mean"]
    report["restored_and_soon"] = report["removal_restores"] and report["seconds_worst"] <= WANTED_SECONDS
    return report


def time_single(linker: Linker, drawn: NewPosts, who: Sequence[Inhabitant], count: int) -> dict[str, float]:
    """Seconds of single corrections: to the release, and to the answer of a linker that is shown it."""
    built, answered = [], []
    pictured = (post for post in drawn.of([*who, *who]) if post.image)
    for post in [next(pictured) for _ in range(count)]:
        start = time.perf_counter()
        correct([post])
        built.append(time.perf_counter() - start)
        linker.refresh()
        (link,) = linker.link([drawn.of([one for one in who if one.mention == post.mentions[0].text])[0]])
        answered.append(time.perf_counter() - start)
        assert link.candidates
    return {
        "seconds_median": statistics.median(answered),
        "seconds_worst": max(answered),
        "of_these_building": statistics.median(built),
    }


def show(report: dict[str, Any]) -> None:
    """Two tables for people."""
    title = f"{report['entities']} entities, {report['of_them_unseen']} of them never trained on"
    table = Table("corrections of each", "accuracy", "others", "of a corrected mention", "all others", title=title)
    for level in LEVELS:
        changes = (report[f"{name}_{level}"] for name in ("others", "same_mention", "other_mentions"))
        table.add_row(str(level), _share(report[f"accuracy_{level}"]), *map(_points, changes))
    console = Console(width=150)
    console.print(table)
    rest = {key: value for key, value in report.items() if isinstance(value, (int, float))}
    console.print(", ".join(f"{key} {value:.3g}" for key, value in rest.items()))


def draw(report: dict[str, Any], path: Path) -> None:
    """Plot accuracy, and what it cost others."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (gain, cost) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    places = range(len(LEVELS))
    lines = {"corrected entities, held-out posts": "accuracy"}
    costs = {"their mention": "same_mention", "all other mentions": "other_mentions", "all": "others"}
    for axes, curves in ((gain, lines), (cost, costs)):
        for number, (label, key) in enumerate(curves.items()):
            found = [report[f"{key}_{level}"] for level in LEVELS]
            if any(each is None for each in found):
                continue
            mean = 100 * np.array([each["mean"] for each in found])
            ends = 100 * np.array([[each["low"] for each in found], [each["high"] for each in found]])
            shifted = [place + 0.06 * number for place in places]
            axes.errorbar(shifted, mean, abs(ends - mean), marker="o", capsize=3, label=label)
        axes.set_xticks(list(places), [str(level) for level in LEVELS])
        axes.set_xlabel("corrections of each entity")
        axes.legend(frameon=False)
    gain.set(ylabel="accuracy, %", ylim=(0, 100))
    cost.set(ylabel="change for other entities, points")
    cost.axhline(0, color="grey", linewidth=0.8)
    figure.savefig(path, dpi=120)


def _share(figure: dict[str, float]) -> str:
    return f"{figure['mean']:.1%} ({figure['low']:.1%}–{figure['high']:.1%})"


def _points(figure: dict[str, float] | None) -> str:
    if figure is None:
        return "none"
    points = (100 * figure[key] for key in ("mean", "low", "high"))
    return "{:+.2f} ({:+.2f} to {:+.2f})".format(*points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="6 entities and 60 other mentions: too few to show much")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--plot", type=Path, help="write a picture of the figures")
    arguments = parser.parse_args()
    plot = arguments.plot and arguments.plot.resolve()
    with tempfile.TemporaryDirectory() as place:
        project_copy(Path(place))
        with contextlib.chdir(place):
            report = run(QUICK if arguments.quick else FULL)
    show(report)
    if plot:
        draw(report, plot)
    if arguments.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
