"""Judgements are held to the sample that was drawn."""

import pytest
from audit.sampled import said, sample_of

from gemel.audit.judgements import check_judgements
from gemel.core.errors import DataError


def test_judgements_of_the_sample_pass_from_several_people() -> None:
    check_judgements([said(0, "correct"), said(0, "wrong", "ben"), said(1, "unsure")], sample_of(2))


def test_judgements_of_what_was_not_drawn_are_named() -> None:
    words = (
        r"2 judgements are not of sample s1, e.g. 'i8' \(anna.csv row 10\), 'i9' .*what people picked themselves says"
    )
    with pytest.raises(DataError, match=words):
        check_judgements([said(0, "correct"), said(8, "correct"), said(9, "wrong")], sample_of(2))


def test_link_judged_twice_by_one_person_is_named() -> None:
    words = r"1 links are judged twice by one annotator: i0 by 'anna' \(anna.csv row 2 and .*\); keep one judgement"
    with pytest.raises(DataError, match=words):
        check_judgements([said(0, "correct"), said(1, "wrong"), said(0, "correct")], sample_of(2))


def test_no_judgements_are_an_error() -> None:
    with pytest.raises(DataError, match="no judgement in the files given; fill the column judgement, or annotate and"):
        check_judgements([], sample_of(2))
