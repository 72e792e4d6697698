"""Accuracy of a sample with its interval; unsure links are never dropped in silence."""

import pytest
from audit.sampled import said, sample_of

from gemel.audit.accuracy import accuracy_of, audit_of, majority
from gemel.audit.judgements import Verdict
from gemel.audit.sampling import Sample

C, W, U = Verdict.CORRECT, Verdict.WRONG, Verdict.UNSURE


def test_interval_is_wilsons() -> None:
    found = accuracy_of([C] * 81 + [W] * 19)
    # Wilson (1927) at z = 1.959964, by hand.
    assert (found.accuracy, found.low, found.high) == (
        0.81,
        pytest.approx(0.7222, abs=1e-4),
        pytest.approx(0.8749, abs=1e-4),
    )
    assert not found.small


def test_unsure_links_are_apart_and_bound_the_accuracy() -> None:
    found = accuracy_of([C, C, C, W, U, None])
    assert (found.drawn, found.correct, found.wrong, found.unsure, found.not_judged) == (6, 3, 1, 1, 1)
    assert (found.accuracy, found.at_least, found.at_most) == (0.75, 0.6, 0.8)


def test_too_few_links_are_said_to_be() -> None:
    assert accuracy_of([C] * 10).small
    assert not accuracy_of([C] * 100).small


@pytest.mark.parametrize("verdicts", [[], [U, U], [None]])
def test_without_a_decided_link_there_is_no_accuracy(verdicts: list) -> None:
    found = accuracy_of(verdicts)
    assert (found.accuracy, found.low, found.high, found.small) == (None, None, None, True)


@pytest.mark.parametrize(
    ("verdicts", "settled"), [([C], C), ([C, C, W], C), ([C, W], U), ([C, U], U), ([W, W, U, U], U), ([U, W, W], W)]
)
def test_majority_decides_and_a_tie_is_unsure(verdicts: list[Verdict], settled: Verdict) -> None:
    assert majority(verdicts) is settled


def test_link_that_many_judged_counts_once() -> None:
    judgements = [said(0, "correct"), said(0, "correct", "ben"), said(0, "wrong", "cem"), said(1, "wrong")]
    found = audit_of(sample_of(3), judgements)
    assert (found.overall.correct, found.overall.wrong, found.overall.not_judged) == (1, 1, 1)
    assert found.annotators == {"anna": 2, "ben": 1, "cem": 1}


def test_wrong_links_keep_what_they_should_have_been() -> None:
    judgements = [said(0, "wrong", right="Q5"), said(0, "wrong", "ben"), said(1, "correct", right="Q6")]
    (wrong,) = audit_of(sample_of(2), judgements).wrong
    assert (wrong.item.item, wrong.right_entities) == ("i0", {"anna": "Q5"})


@pytest.mark.parametrize(
    ("fact", "by", "kind"),
    [
        ({"image": "none"}, "image", "none"),
        ({"mention_is_name": True}, "mention", "the name"),
        ({"mention_is_name": False}, "mention", "other words"),
        ({"entity_type": "river"}, "entity type", "river"),
        ({"probability": 0.49}, "probability", "0 – 0.5"),
        ({"probability": 0.5}, "probability", "0.5 – 0.8"),
        ({"probability": 1.0}, "probability", "0.95 – 1"),
    ],
)
def test_links_fall_into_slices(fact: dict, by: str, kind: str) -> None:
    slices = audit_of(sample_of(2, **fact), [said(0, "correct")]).slices
    (found,) = [each for each in slices if each.by == by]
    assert (found.kind, found.accuracy.drawn, found.accuracy.correct, found.accuracy.not_judged) == (kind, 2, 1, 1)


def test_types_make_no_slice_where_none_is_known() -> None:
    assert "entity type" not in {each.by for each in audit_of(sample_of(2), [said(0, "correct")]).slices}


def test_slices_of_one_kind_add_up_to_all() -> None:
    mixed = Sample("s1", sample_of(1).frame, 0, (*sample_of(3).items[:2], sample_of(3, image="none").items[2]))
    found = audit_of(mixed, [said(item, "correct") for item in range(3)])
    assert sum(each.accuracy.drawn for each in found.slices if each.by == "image") == 3
