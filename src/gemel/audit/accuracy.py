"""Accuracy of the links of a sample, with its interval, over all and by slice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gemel.audit.agreement import Agreement, agreement
from gemel.audit.judgements import Judgement, Verdict
from gemel.audit.sampling import Item, Sample
from gemel.evaluation.statistics import WIDEST, wilson

_BANDS = ((0.5, "0 – 0.5"), (0.8, "0.5 – 0.8"), (0.95, "0.8 – 0.95"))


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of some links: correct / (correct + wrong), with Wilson's 95 % interval; None where neither was found.

    drawn = correct + wrong + unsure + not_judged. at_least, at_most: the accuracy of those judged, were each unsure one
    wrong, or right. small: the interval is wider than WIDEST, or there is none.
    """

    drawn: int
    correct: int
    wrong: int
    unsure: int
    not_judged: int
    accuracy: float | None
    low: float | None
    high: float | None
    at_least: float | None
    at_most: float | None
    small: bool


@dataclass(frozen=True)
class Slice:
    """The links of one kind, e.g. of "image" the kind "read"."""

    by: str
    kind: str
    accuracy: Accuracy


@dataclass(frozen=True)
class WrongLink:
    """A link that was found wrong. right_entities: what it should have been, by annotator."""

    item: Item
    right_entities: Mapping[str, str]


@dataclass(frozen=True)
class Audit:
    """What the judgements of a sample say. annotators: judgements of each."""

    sample: Sample
    overall: Accuracy
    slices: tuple[Slice, ...]
    agreement: Agreement
    annotators: Mapping[str, int]
    wrong: tuple[WrongLink, ...]


def audit_of(sample: Sample, judgements: Sequence[Judgement]) -> Audit:
    """Sum up judgements that check_judgements let through.

    A link counts as the verdict that most of its annotators gave; where no verdict has most, it counts as unsure.
    """
    by_item: dict[str, list[Judgement]] = defaultdict(list)
    for each in judgements:
        by_item[each.item].append(each)
    settled = {item: majority(each.verdict for each in some) for item, some in by_item.items()}
    wrong = tuple(
        WrongLink(item, {each.annotator: each.right_entity for each in by_item[item.item] if each.right_entity})
        for item in sample.items
        if settled.get(item.item) is Verdict.WRONG
    )
    return Audit(
        sample=sample,
        overall=accuracy_of(settled.get(item.item) for item in sample.items),
        slices=tuple(_slices(sample.items, settled)),
        agreement=agreement(judgements),
        annotators=dict(sorted(Counter(each.annotator for each in judgements).items())),
        wrong=wrong,
    )


def majority(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that was given most often; unsure where two were equally often. verdicts: one at least."""
    (first, most), *others = Counter(verdicts).most_common(2)
    return Verdict.UNSURE if others and others[0][1] == most else first


def accuracy_of(verdicts: Iterable[Verdict | None]) -> Accuracy:
    """Accuracy over links. verdicts: of each link; None: not judged."""
    counts = Counter(verdicts)
    correct, wrong, unsure = (counts[verdict] for verdict in (Verdict.CORRECT, Verdict.WRONG, Verdict.UNSURE))
    decided, judged = correct + wrong, correct + wrong + unsure
    low, high = wilson(correct, decided)
    return Accuracy(
        drawn=counts.total(),
        correct=correct,
        wrong=wrong,
        unsure=unsure,
        not_judged=counts[None],
        accuracy=correct / decided if decided else None,
        low=low if decided else None,
        high=high if decided else None,
        at_least=correct / judged if judged else None,
        at_most=(correct + unsure) / judged if judged else None,
        small=high - low > WIDEST,
    )


def _band(item: Item) -> str:
    return next((name for edge, name in _BANDS if item.probability < edge), "0.95 – 1")


_KINDS: Mapping[str, Callable[[Item], str]] = {
    "image": lambda item: item.image,
    "mention": lambda item: "the name" if item.mention_is_name else "other words",
    "entity type": lambda item: item.entity_type or "not known",
    "probability": _band,
}


def _slices(items: Iterable[Item], settled: Mapping[str, Verdict]) -> Iterable[Slice]:
    """Every kind that was drawn. Types are left out where none is known."""
    found: dict[str, dict[str, list[Verdict | None]]] = {by: defaultdict(list) for by in _KINDS}
    for item in items:
        for by, kind_of in _KINDS.items():
            found[by][kind_of(item)].append(settled.get(item.item))
    for by, kinds in found.items():
        if by != "entity type" or set(kinds) != {"not known"}:
            for kind in sorted(kinds):
                yield Slice(by, kind, accuracy_of(kinds[kind]))
