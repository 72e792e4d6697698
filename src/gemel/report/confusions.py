"""Which entity is answered in place of which, by the string that stands for both."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Confusion:
    """How often one entity, by its id, was answered in place of another."""

    gold: str
    answered: str
    count: int


@dataclass(frozen=True)
class MentionConfusions:
    """The errors on all mentions of one string, the most frequent first. graded, wrong: mentions of that string."""

    mention: str
    graded: int
    wrong: int
    confusions: tuple[Confusion, ...]


def confusions(answers: Iterable[tuple[str, str, str, bool]]) -> tuple[MentionConfusions, ...]:
    """Group the errors by mention string, the string with most errors first.

    answers: mention, gold id, answered id, and whether that is right, of each graded mention.
    """
    graded: Counter[str] = Counter()
    wrong: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for mention, gold, answered, right in answers:
        graded[mention] += 1
        if not right:
            wrong[mention][gold, answered] += 1
    found = [
        MentionConfusions(
            mention,
            graded[mention],
            pairs.total(),
            tuple(Confusion(*pair, count) for pair, count in sorted(pairs.items(), key=lambda item: (-item[1], item))),
        )
        for mention, pairs in wrong.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.wrong, group.mention)))
