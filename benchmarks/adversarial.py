"""What texts that attack do to the sample world's linker: 1,000 posts under attacks of many kinds, and without.

New posts, none of them of the data set; the attacks want another entity of the mention's group answered. Told by kind:
how often the answer is another than without the attack ("steered"; harmless words steer, too), how often it is the one
that the attack wants and was not before ("taken"), and the same with texts as they came, without the guards of
`gemel.tasks.linking.prompt.plain` and of `FrozenLLM.encode`. Each answer must be in the catalog or NIL, or the post
refused by a RequestError. The guards must leave every text of the data set as it is. Needs `make repro`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.attacks import KINDS, attacked
from benchmarks.sample_release import NewPosts, load_quietly
from gemel.bundle import read_bundle
from gemel.core.schema import Post
from gemel.entities.catalog import Catalog
from gemel.evaluation.statistics import Figure, difference, share
from gemel.links import link_rows
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.predictor import Linker
from gemel.stages import RELEASE
from gemel.tasks.linking import prompt
from sample.dataset import dataset_texts
from sample.world import World, load_world

SEED = 511_207
FULL, QUICK = 1_000, 100
NIL = "NIL"


@dataclass(frozen=True)
class Outcome:
    """An answer's entity, NIL, or "" for a refusal. listed: whether all candidates are of the catalog."""

    entity_id: str
    listed: bool = True


def ask(linker: Linker, posts: Sequence[Post], catalog: Catalog) -> list[Outcome]:
    """Link posts of one mention each, as `gemel link` does a file's."""
    row_of = {place: row for place, (row,) in link_rows(linker, posts)}
    outcomes = []
    for place in range(len(posts)):
        row = row_of[place]
        ids = [each["entity_id"] for each in (row, *(row["runners_up"] or ())) if each["entity_id"] is not None]
        answer = "" if row["error"] else NIL if row["nil"] else row["entity_id"]
        outcomes.append(Outcome(answer, all(id_ in catalog for id_ in ids)))
    return outcomes


@contextmanager
def texts_as_they_come(llm: FrozenLLM) -> Iterator[None]:
    """Without the guards: marks and control characters stay, and a written end of sequence is one."""

    def encode(text: str) -> list[int]:
        ids: list[int] = llm.tokenizer.encode(text, add_special_tokens=False)
        return ids

    with (
        patch.object(prompt, "plain", lambda text: text),
        patch.object(type(llm), "encode", staticmethod(encode)),
    ):
        yield


def targets_of(posts: Sequence[Post], world: World) -> list[str]:
    """For each post the QID of another entity that its mention may stand for."""
    rng = random.Random(SEED)
    groups = [world.groups[post.mentions[0].text] for post in posts]
    golds = [post.mentions[0].entity_id for post in posts]
    return [
        rng.choice([one.qid for one in group if one.qid != gold]) for group, gold in zip(groups, golds, strict=True)
    ]


def run(count: int) -> dict[str, Any]:
    """All attacks, in turn over the posts, with the guards and without."""
    world, texts = load_world(), dataset_texts(Path("data/sample"))
    bundle = read_bundle(RELEASE)
    llm, catalog = load_llm(bundle.settings.backbone.llm), bundle.catalog
    end = str(llm.tokenizer.eos_token)
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    with tempfile.TemporaryDirectory() as place:
        clean = NewPosts(Path(place), texts, SEED).by_popularity(list(world.inhabitants), count)
        targets = targets_of(clean, world)
        attacks = [
            attacked(post, kind, catalog.entity(target).name, end)
            for post, kind, target in zip(clean, kinds, targets, strict=True)
        ]
        before = ask(load_quietly(RELEASE), clean, catalog)
        found = {}
        for name, guards in (("guarded", nullcontext()), ("as_they_come", texts_as_they_come(llm))):
            with guards:
                # Made anew: a linker keeps the token ids of demonstrations.
                found[name] = ask(load_quietly(RELEASE), attacks, catalog)
    report: dict[str, Any] = {
        "texts": count,
        "nil": sum(outcome.entity_id == NIL for outcome in found["guarded"]),
        "refused": sum(not outcome.entity_id for outcome in found["guarded"]),
        "not_in_catalog": sum(not outcome.listed for outcomes in found.values() for outcome in outcomes),
        "texts_of_the_data_set_changed": sum(prompt.plain(text) != text for text in texts),
    }
    report["in_catalog_or_refused"] = 1 - report["not_in_catalog"] / (2 * count)
    changed = {name: steered(outcomes, before) for name, outcomes in found.items()}
    taken = {name: taken_over(outcomes, before, targets) for name, outcomes in found.items()}
    of_kind = np.array(kinds)
    slices = {"all": np.ones(count, bool)} | {kind: of_kind == kind for kind in KINDS}
    report["kinds"] = {
        kind: {
            **{f"steered_{name}": _facts(share(hits[None], where)) for name, hits in changed.items()},
            **{f"taken_{name}": _facts(share(hits[None], where)) for name, hits in taken.items()},
            "gain": _facts(difference(taken["guarded"][None], taken["as_they_come"][None], where)),
        }
        for kind, where in slices.items()
        if where.any()
    }
    return report


def steered(outcomes: Sequence[Outcome], before: Sequence[Outcome]) -> Any:
    """Whether each was answered, and with another entity than before."""
    pairs = zip(outcomes, before, strict=True)
    return np.array([bool(now.entity_id) and now.entity_id != then.entity_id for now, then in pairs], dtype=float)


def taken_over(outcomes: Sequence[Outcome], before: Sequence[Outcome], targets: Sequence[str]) -> Any:
    """Whether each is the attack's entity now and was not before."""
    triples = zip(outcomes, before, targets, strict=True)
    return np.array([now.entity_id == target != then.entity_id for now, then, target in triples], dtype=float)


def show(report: Mapping[str, Any]) -> None:
    """A table for people."""
    title = (
        f"{report['texts']} texts, {report['refused']} refused, {report['not_in_catalog']} answers not in the catalog, "
        f"{report['texts_of_the_data_set_changed']} texts of the data set changed"
    )
    table = Table("attack", "posts", "steered", "taken", "steered, as they come", "taken, as they come", title=title)
    for kind, found in report["kinds"].items():
        names = ("steered_guarded", "taken_guarded", "steered_as_they_come", "taken_as_they_come")
        table.add_row(kind, str(found["gain"]["n"]), *(_share(found[name]) for name in names))
    Console(width=150).print(table)


def _facts(figure: Figure | None) -> dict[str, Any]:
    assert figure is not None
    return figure.as_dict()


def _share(figure: Mapping[str, float]) -> str:
    return f"{figure['mean']:.1%} ({figure['low']:.1%}–{figure['high']:.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} texts: five of each kind")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    report = run(QUICK if arguments.quick else FULL)
    show(report)
    if arguments.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
