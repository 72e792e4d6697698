"""The joint assignment of benchmarks.post_agreement: exact, and only as strict as its penalty."""

from itertools import product

import numpy as np
import pytest

from benchmarks.post_agreement import Asked, assign


def asked(**shares: float) -> Asked:
    ranked = sorted(shares, key=lambda entity: -shares[entity])
    return Asked(0, "", tuple(ranked), tuple(shares[entity] for entity in ranked))


def best_sum(post: list[Asked], penalty: float) -> float:
    """By trying every assignment."""
    choices = [list(zip(each.candidates, each.shares, strict=True)) for each in post]
    sums = []
    for chosen in product(*choices):
        entities = [entity for entity, _ in chosen]
        uses = [entities.count(entity) for entity in set(entities)]
        sums.append(sum(share for _, share in chosen) - penalty * sum(use * (use - 1) / 2 for use in uses))
    return max(sums)


def test_second_use_of_an_entity_goes_to_the_next_candidate() -> None:
    post = [asked(Q1=1.0, Q2=0.9), asked(Q1=1.0, Q3=0.2)]
    assert assign(post, 0.5) == ["Q2", "Q1"]


def test_small_penalty_lets_two_mentions_be_one_entity() -> None:
    post = [asked(Q1=1.0, Q2=0.3), asked(Q1=1.0, Q3=0.2)]
    assert assign(post, 0.5) == ["Q1", "Q1"]


def test_mention_without_candidates_has_no_answer() -> None:
    assert assign([Asked(0, "", (), ()), asked(Q1=1.0)], 0.5) == ["", "Q1"]
    assert assign([Asked(0, "", (), ())], 0.5) == [""]


@pytest.mark.parametrize("seed", range(8))
def test_assignment_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    post = [asked(**{f"Q{q}": float(rng.random()) for q in rng.choice(5, 3, replace=False)}) for _ in range(4)]
    found = assign(post, 0.2)
    shares = [dict(zip(each.candidates, each.shares, strict=True)) for each in post]
    uses = [found.count(entity) for entity in set(found)]
    value = sum(of[entity] for of, entity in zip(shares, found, strict=True))
    value -= 0.2 * sum(use * (use - 1) / 2 for use in uses)
    assert value == pytest.approx(best_sum(post, 0.2))
