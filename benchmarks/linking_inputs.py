"""Prompts for `benchmarks.linking`, made up where no files are given.

Prompts come in groups; those of a group hold the same context, as mentions with the same string do.
"""

from __future__ import annotations

import numpy as np

from benchmarks.linking_models import FIRST_PIECE, Vocabulary
from gemel.llm.segments import Prompt, Segment

Group = list[Prompt]

DEMONSTRATIONS = 16
DEMONSTRATION_TOKENS = (50, 62)
POSTS_PER_MENTION = 10
# Sizes of groups in turn: as in WikiMEL's test set, one mention in seven repeats another.
REPEATING = (1, 1, 1, 1, 1, 2)


def group_sizes(mode: str, mentions: int) -> list[int]:
    """How many mentions share each context, until there are as many mentions as asked for (archive: or a few more)."""
    sizes: list[int] = []
    turn = {"distinct": (1,), "wikimel": REPEATING, "archive": (POSTS_PER_MENTION,)}[mode]
    while sum(sizes) < mentions:
        sizes.append(turn[len(sizes) % len(turn)])
    return sizes


def random_groups(rng: np.random.Generator, vocabulary: Vocabulary, mode: str, mentions: int) -> list[Group]:
    """Prompts of random tokens, as long as 16 demonstrations and a query."""

    def segment() -> Segment:
        ids = rng.integers(FIRST_PIECE, vocabulary.size, size=rng.integers(*DEMONSTRATION_TOKENS))
        return Segment(tuple(ids.tolist()))

    groups = []
    for size in group_sizes(mode, mentions):
        context = tuple(segment() for _ in range(DEMONSTRATIONS))
        groups.append([Prompt((segment(),), context) for _ in range(size)])
    return groups
