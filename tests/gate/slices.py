"""Slices written by hand: counts in place of answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.gate.budget import Spent
from gemel.gate.decision import Accuracies, Decision, decide_pairs
from gemel.gate.graded import Graded, Paired, SliceAnswers
from gemel.gate.settings import GateSettings

SETTINGS = GateSettings()


def counted(dimension: Any = "overall", n: int = 5_000, fixed: int = 0, broken: int = 0, **more: Any) -> Paired:
    """A slice of which all that was not fixed was right before."""
    before = n - fixed
    return Paired(dimension, more.pop("group", ""), n, before, before + fixed - broken, fixed, broken, **more)


def decided(*pairs: Paired, new_data: bool = True, spent: Spent | None = None, **settings: Any) -> Decision:
    """The decision on slices; the first is overall."""
    overall = pairs[0]
    accuracies = Accuracies(overall.before / overall.n, overall.after / overall.n)
    chosen = GateSettings(**settings)
    return decide_pairs(pairs, accuracies, new_data=new_data, settings=chosen, spent=spent or Spent())


def graded(digest: str, right: list[bool], posts: list[str] | None = None) -> Graded:
    """A release that was asked the mentions of one slice, each of a post of its own."""
    ids = tuple(posts or (f"p{place}" for place in range(len(right))))
    return Graded(digest, (SliceAnswers("overall", "", np.array(right, dtype=np.bool_), ids),))
