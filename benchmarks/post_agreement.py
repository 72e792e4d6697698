"""Whether two mentions of a post are one entity, and what a rule against it is worth: WikiDiverse, no model needed.

Each distinct mention string of a post has the candidates of BM25 over names, their scores as shares of its best one.
The joint assignment takes the candidates whose scores, less a penalty for every further use of an entity in the post,
add up to the most; it is exact, by linear assignment with a column for each use. The penalty is fitted on the posts of
even number and tested on the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

from gemel.baselines.names import Bm25Names
from gemel.evaluation.grading import Graded
from gemel.evaluation.statistics import change

TOP = 10
# In shares of a mention's best score; the last one forbids a second use as long as another candidate is left.
PENALTIES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 10.0)
NEVER = 1e6


@dataclass(frozen=True)
class Asked:
    """A distinct mention string of a post. gold: entity id. candidates: ids, best first; shares: their scores."""

    post: int
    gold: str
    candidates: tuple[str, ...]
    shares: tuple[float, ...]


def measure(path: Path) -> dict[str, Any]:
    """path: mentions as WikiDiverse's GEMEL files have them, one a line; files beside it name further entities."""
    rows = _read(path)
    named = [row for file in sorted(path.parent.glob("gemel_*.jsonl")) for row in _read(file)]
    pairs = [
        (a["mention"] == b["mention"], a["qid"] == b["qid"])
        for of_post in _by_post(rows).values()
        for a, b in combinations(of_post, 2)
    ]
    halves: tuple[list[Asked], list[Asked]] = ([], [])
    for asked in _asked(rows, named):
        halves[asked.post % 2].append(asked)
    fitted, tested = halves
    accuracies = {penalty: _hits(fitted, penalty).mean() for penalty in PENALTIES}
    best = max(PENALTIES, key=lambda penalty: (accuracies[penalty], -penalty))
    before = _hits(tested, 0.0)
    return {
        "posts": len(_by_post(rows)),
        "pairs_of_different_strings": sum(not same for same, _ in pairs),
        "of_one_entity": sum(one for same, one in pairs if not same),
        "pairs_of_equal_strings": sum(same for same, _ in pairs),
        "equal_strings_of_one_entity": sum(one for same, one in pairs if same),
        "penalty": best,
        "tested_on": len(tested),
        "accuracy": float(before.mean()),
        "change": change(before, _hits(tested, best)).as_dict(),
        "change_if_forbidden": change(before, _hits(tested, PENALTIES[-1])).as_dict(),
    }


def assign(asked: Sequence[Asked], penalty: float) -> list[str]:
    """The entity of each mention of one post; "" where it has no candidates."""
    open_ = [place for place, each in enumerate(asked) if each.candidates]
    columns = [(entity, use) for entity in {e for p in open_ for e in asked[p].candidates} for use in range(len(open_))]
    # In a fixed order, so that equal sums give equal answers.
    columns.sort()
    costs = np.full((len(open_), len(columns)), NEVER)
    for row, place in enumerate(open_):
        shares = dict(zip(asked[place].candidates, asked[place].shares, strict=True))
        for column, (entity, use) in enumerate(columns):
            if entity in shares:
                costs[row, column] = penalty * use - shares[entity]
    found = [""] * len(asked)
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        found[open_[row]] = columns[column][0]
    return found


def _hits(asked: Sequence[Asked], penalty: float) -> np.ndarray:
    """Outcomes, (1, mentions); with no penalty each mention has its best candidate."""
    of_post: dict[int, list[Asked]] = {}
    for each in asked:
        of_post.setdefault(each.post, []).append(each)
    outcomes = []
    for some in of_post.values():
        alone = [next(iter(each.candidates), "") for each in some]
        found = assign(some, penalty) if penalty else alone
        outcomes += [float(answer == each.gold) for answer, each in zip(found, some, strict=True)]
    return np.array([outcomes])


def _asked(rows: Sequence[dict[str, Any]], named: Sequence[dict[str, Any]]) -> list[Asked]:
    names = pl.DataFrame({"entity_id": [r["qid"] for r in named], "name": [r["golden"] for r in named]}).unique(
        maintain_order=True
    )
    entities = names.unique("entity_id", maintain_order=True).with_columns(popularity=pl.lit(0.0))
    distinct = {(row["sent_id"], row["mention"]): row for row in rows}
    table = pl.DataFrame({"mention": [mention for _, mention in distinct]})
    answers = Bm25Names(entities, names, TOP).answer(Graded(table, np.zeros(table.height), 0, 0))
    found = []
    for (post, _), row, answer in zip(distinct, distinct.values(), answers, strict=True):
        scores = [candidate.score for candidate in answer.candidates]
        shares = tuple(score / scores[0] for score in scores)
        found.append(Asked(post, row["qid"], tuple(each.entity_id for each in answer.candidates), shares))
    return found


def _by_post(rows: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["sent_id"], []).append(row)
    return found


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
