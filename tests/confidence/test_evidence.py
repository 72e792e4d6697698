"""What a search leaves behind."""

import numpy as np

from gemel.confidence.evidence import EVIDENCE, MOST_MARGIN, evidence


def named(scores: list[float], likeness: list[float] | None) -> dict[str, float]:
    alike = None if likeness is None else np.array(likeness)
    return dict(zip(EVIDENCE, evidence(scores, alike), strict=True))


def test_margin_is_the_lead_over_the_second() -> None:
    assert named([-0.5, -2.0, -9.0], None)["margin"] == 1.5


def test_only_candidate_leads_by_the_most() -> None:
    assert named([-0.5], [0.25])["margin"] == MOST_MARGIN
    assert named([-0.5], [0.25])["second_unpictured"] == 1


def test_margin_is_bounded() -> None:
    assert named([-0.5, -99.0], None)["margin"] == MOST_MARGIN


def test_post_without_an_image_says_nothing_of_likeness() -> None:
    found = named([-0.5, -1.0], None)
    assert found["imageless"] == 1
    assert (found["likeness"], found["unpictured"], found["second_unpictured"]) == (0, 0, 0)


def test_entity_without_a_picture_is_told_from_one_that_is_unlike() -> None:
    found = named([-0.5, -1.0], [np.nan, 0.0])
    assert (found["likeness"], found["unpictured"]) == (0, 1)
    assert (found["second_likeness"], found["second_unpictured"]) == (0, 0)
