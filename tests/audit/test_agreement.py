"""Agreement between the people who judged."""

import pytest
from audit.sampled import said

from gemel.audit.agreement import agreement


def pairs(*verdicts: tuple[str, ...]) -> list:
    return [said(item, verdict, f"a{by}") for item, some in enumerate(verdicts) for by, verdict in enumerate(some)]


def test_alpha_is_krippendorffs() -> None:
    found = agreement(pairs(("correct", "correct"), ("correct", "correct"), ("wrong", "wrong"), ("correct", "wrong")))
    # By hand: observed disagreement 2/8, expected 2·5·3/(8·7).
    assert found.alpha == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert (found.links, found.pairs_agree) == (4, 0.75)


def test_pairs_of_three_people_count_each() -> None:
    assert agreement(pairs(("correct", "correct", "wrong"))).pairs_agree == pytest.approx(1 / 3)


def test_unsure_is_a_verdict_of_its_own() -> None:
    assert agreement(pairs(("correct", "unsure"))).pairs_agree == 0.0


def test_links_that_one_person_judged_say_nothing() -> None:
    found = agreement(pairs(("correct",), ("wrong",)))
    assert (found.links, found.pairs_agree, found.alpha) == (0, None, None)


def test_alpha_is_not_defined_where_all_say_one_thing() -> None:
    found = agreement(pairs(("correct", "correct"), ("correct", "correct"), ("wrong",)))
    assert (found.links, found.pairs_agree, found.alpha) == (2, 1.0, None)
