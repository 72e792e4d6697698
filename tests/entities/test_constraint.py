"""The constraint offers what the trie holds, and the end where a name is complete."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import ArtifactError
from gemel.entities.constraint import ENDED, TrieConstraint
from gemel.entities.trie import NONE, ROOT
from gemel.entities.trie_build import build_trie

EOS = 2
NAMES = [(5, 6), (5,), (7, 8, 9), (7, 8, 3)]


def constrain(names, **settings) -> TrieConstraint:
    settings = {"eos_token_id": EOS, "vocab_size": 10, "device": torch.device("cpu")} | settings
    return TrieConstraint(build_trie(names), **settings)


def offered(constraint: TrieConstraint, states: list[int]) -> list[tuple[int, int, int]]:
    candidates = constraint.candidates(np.array(states))
    return list(zip(*(x.tolist() for x in (candidates.rows, candidates.tokens, candidates.children)), strict=True))


def test_root_offers_first_tokens_and_no_end():
    assert offered(constrain(NAMES), [ROOT]) == [(0, 5, 1), (0, 7, 2)]


def test_a_name_inside_another_offers_both_the_end_and_the_way_on():
    assert offered(constrain(NAMES), [1]) == [(0, 6, 3), (0, EOS, ENDED)]


def test_a_full_name_offers_only_the_end():
    constraint = constrain(NAMES)
    assert constraint.trie.names_at(np.array([3])).tolist() == [0]
    assert offered(constraint, [3]) == [(0, EOS, ENDED)]


def test_a_place_without_a_beam_offers_nothing():
    assert offered(constrain(NAMES), [NONE, 1, NONE]) == [(1, 6, 3), (1, EOS, ENDED)]
    assert offered(constrain(NAMES), [NONE]) == []


@given(
    st.sets(st.lists(st.integers(3, 6), min_size=1, max_size=4).map(tuple), min_size=1, max_size=30).map(list),
    st.lists(st.integers(-1, 60), min_size=1, max_size=10),
)
def test_many_beams_are_offered_what_each_is_offered_alone(names, states):
    constraint = constrain(names)
    states = [state % len(constraint.trie) if state >= 0 else NONE for state in states]
    alone = [offered(constraint, [state]) for state in states]
    assert offered(constraint, states) == [(row, *rest) for row, each in enumerate(alone) for _, *rest in each]
    assert constraint.candidates(np.array(states)).counts.tolist() == [len(each) for each in alone]


def test_candidates_lie_on_the_device_asked_for():
    candidates = constrain(NAMES, device=torch.device("meta")).candidates(np.array([ROOT]))
    assert {x.device.type for x in (candidates.rows, candidates.tokens, candidates.children)} == {"meta"}


def test_refuses_a_name_with_the_end_token_inside():
    with pytest.raises(ArtifactError, match=r"a name holds token 6, which ends names; .* run `dvc repro entity_trie`"):
        constrain(NAMES, eos_token_id=6).candidates(np.array([1]))


def test_refuses_a_token_that_the_llm_lacks():
    with pytest.raises(ArtifactError, match="holds token 9, the LLM has 7; it was built for another tokenizer"):
        constrain(NAMES, vocab_size=7)
