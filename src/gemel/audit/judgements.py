"""What people said of links, held to the sample that was drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gemel.audit.sampling import Sample
from gemel.core.errors import DataError

# How many offenders an error names.
NAMED = 3


class Verdict(StrEnum):
    """What one person says of one link."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Judgement:
    """One person's word on one link. right_entity: what it should have been, in their words; where: for errors."""

    item: str
    annotator: str
    verdict: Verdict
    right_entity: str
    where: str


def parse_verdict(word: str, where: str) -> Verdict:
    """The verdict of a word, whatever its case.

    Raises: DataError if it is none.
    """
    try:
        return Verdict(word.strip().lower())
    except ValueError:
        raise DataError(f"{where}: judgement {word!r}; write {', '.join(Verdict)} or leave it empty") from None


def check_judgements(judgements: Sequence[Judgement], sample: Sample) -> None:
    """Hold judgements to the sample: of its links alone, each by one person at most once.

    Raises: DataError, naming the first offenders, otherwise or if there are no judgements.
    """
    if not judgements:
        raise DataError("no judgement in the files given; fill the column judgement, or annotate and export again")
    _check_items(judgements, sample)
    _check_once(judgements)


def _check_items(judgements: Iterable[Judgement], sample: Sample) -> None:
    known = {item.item for item in sample.items}
    strange = [each for each in judgements if each.item not in known]
    if strange:
        named = ", ".join(f"{each.item!r} ({each.where})" for each in strange[:NAMED])
        raise DataError(
            f"{len(strange)} judgements are not of sample {sample.sample}, e.g. {named}; give the sample.json that "
            "they were drawn with, and nothing that was not drawn: what people picked themselves says nothing of the "
            "rest"
        )


def _check_once(judgements: Iterable[Judgement]) -> None:
    first: dict[tuple[str, str], Judgement] = {}
    twice = [each for each in judgements if first.setdefault((each.item, each.annotator), each) is not each]
    if twice:
        named = ", ".join(
            f"{each.item} by {each.annotator!r} ({first[each.item, each.annotator].where} and {each.where})"
            for each in twice[:NAMED]
        )
        raise DataError(
            f"{len(twice)} links are judged twice by one annotator: {named}; keep one judgement of each, or name the "
            "annotators apart"
        )
