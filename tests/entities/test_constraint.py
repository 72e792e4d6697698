"""The constraint offers what the trie holds, and the end where a name is complete."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import ArtifactError
from gemel.entities.constraint import ENDED, TrieConstraint
from gemel.entities.subset import subset_of
from gemel.entities.trie import NONE, ROOT
from gemel.entities.trie_build import build_trie

EOS, VOCAB = 2, 10
NAMES = [(5, 6), (5,), (7, 8, 9), (7, 8, 3)]
NAME_SETS = st.sets(st.lists(st.integers(3, 6), min_size=1, max_size=4).map(tuple), min_size=1, max_size=30).map(list)


def constrain(names, subsets=(), **settings) -> TrieConstraint:
    settings = {"eos_token_id": EOS, "vocab_size": VOCAB, "device": torch.device("cpu")} | settings
    constraint = TrieConstraint(build_trie(names), **settings)
    return constraint.among([subset_of(constraint.trie, np.array(names)) for names in subsets])


def best(constraint: TrieConstraint, states: list[int], views=None, kept=VOCAB, logits=None):
    """What `best` finds behind each state: pairs of a rounded probability and a child, by descending probability."""
    views = np.zeros(len(states), dtype=np.int64) if views is None else np.array(views)
    logits = torch.zeros(len(states), VOCAB) if logits is None else logits
    found = constraint.best(logits, constraint.children(np.array(states), views), kept)
    return [
        [(round(float(np.exp(score)), 4), int(child)) for score, child in zip(*row, strict=True) if score > -np.inf]
        for row in zip(found.scores, found.children, strict=True)
    ]


def children(constraint: TrieConstraint, states: list[int], views=None) -> list[set[int]]:
    return [{child for _, child in row} for row in best(constraint, states, views)]


def test_root_offers_first_tokens_and_no_end():
    assert children(constrain(NAMES), [ROOT]) == [{1, 2}]


def test_a_name_inside_another_offers_both_the_end_and_the_way_on():
    assert children(constrain(NAMES), [1]) == [{3, ENDED}]


def test_a_full_name_offers_only_the_end():
    constraint = constrain(NAMES)
    assert constraint.trie.names_at(np.array([3])).tolist() == [0]
    assert children(constraint, [3]) == [{ENDED}]


def test_probabilities_are_of_the_softmax_over_the_whole_vocabulary():
    logits = torch.full((1, VOCAB), -40.0)
    logits[0, [0, 5, 7]] = torch.tensor([0.5, 0.2, 0.3]).log()  # Token 0 is not in the trie.
    assert best(constrain(NAMES), [ROOT], logits=logits) == [[(0.3, 2), (0.2, 1)]]


def test_only_the_best_are_kept():
    logits = torch.arange(VOCAB, dtype=torch.float32)[None]
    (row,) = best(constrain([(token,) for token in range(3, 9)]), [ROOT], kept=2, logits=logits)
    assert [child for _, child in row] == [6, 5]


@settings(deadline=None)
@given(NAME_SETS, st.lists(st.integers(0, 60), min_size=1, max_size=10))
def test_many_positions_find_what_each_finds_alone(names, states):
    constraint = constrain(names)
    states = [state % len(constraint.trie) for state in states]
    logits = torch.randn(len(states), VOCAB, generator=torch.Generator().manual_seed(0))
    together = best(constraint, states, logits=logits)
    assert together == [best(constraint, [state], logits=logits[row : row + 1])[0] for row, state in enumerate(states)]


@settings(deadline=None)
@given(NAME_SETS, st.data())
def test_views_offer_what_their_subsets_hold(names, data):
    some = data.draw(st.lists(st.lists(st.integers(0, len(names) - 1), min_size=1), min_size=1, max_size=3))
    constraint = constrain(names, subsets=some)
    views = [0, *range(1, len(some) + 1)]
    of_views = [set(names), *({names[index] for index in each} for each in some)]
    for state, path in enumerate(paths(constraint)):
        going_on = [view for view in views if any(name[: len(path)] == path for name in of_views[view])]
        wanted = [
            {name[len(path)] if len(name) > len(path) else EOS for name in of_views[view] if name[: len(path)] == path}
            for view in going_on
        ]
        found = children(constraint, [state] * len(going_on), going_on)
        assert [{token_of(constraint, child) for child in row} for row in found] == wanted


def paths(constraint: TrieConstraint) -> list[tuple[int, ...]]:
    """The tokens that lead to each node, in the order of the nodes."""
    found: list[tuple[int, ...]] = [()]
    for node in range(1, len(constraint.trie)):
        parent = int(constraint.trie.parents(np.array([node]))[0])
        found.append((*found[parent], int(constraint.trie.tokens[node])))
    return found


def token_of(constraint: TrieConstraint, child: int) -> int:
    return EOS if child == ENDED else int(constraint.trie.tokens[child])


def test_chains_go_on_to_the_first_choice_or_the_end():
    constraint = constrain([(3, 4, 5, 6), (3, 4, 5, 7, 8), (9,)])
    first, alone = 1, 2
    chains = constraint.chains(np.array([first, alone]), np.zeros(2, dtype=np.int64))
    assert chains.lengths.tolist() == [3, 1]
    assert constraint.tokens_into(chains.nodes).tolist() == [3, 4, 5, 9]
    assert chains.below.counts.tolist() == [1, 1, 2, 0]
    assert chains.below.ends.tolist() == [False, False, False, True]


def test_chains_stop_where_a_name_may_end():
    chains = constrain([(3, 4), (3, 4, 5)]).chains(np.array([1]), np.zeros(1, dtype=np.int64))
    assert chains.lengths.tolist() == [2]


def test_chains_of_a_subset_are_longer():
    constraint = constrain([(3, 4, 5, 6), (3, 4, 5, 7, 8), (3, 9)], subsets=[[1]])
    chains = constraint.chains(np.array([1, 1]), np.array([0, 1]))
    assert chains.lengths.tolist() == [1, 5]
    assert constraint.tokens_into(chains.nodes).tolist() == [3, 3, 4, 5, 7, 8]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_give_scores_that_are_no_numbers(broken):
    logits = torch.zeros(1, VOCAB)
    logits[0, 0] = broken
    constraint = constrain(NAMES)
    found = constraint.best(logits, constraint.children(np.array([ROOT]), np.array([0])), 5)
    assert np.isnan(found.scores).any()


def test_heights_of_a_view_are_those_of_its_names():
    constraint = constrain(NAMES, subsets=[[1]])
    states, views = np.array([ROOT, ROOT, NONE]), np.array([0, 1, 0])
    assert constraint.heights(states, views).tolist() == [4, 2, 0]


def test_refuses_a_name_with_the_end_token_inside():
    constraint = constrain(NAMES, eos_token_id=6)
    with pytest.raises(ArtifactError, match=r"a name holds token 6, which ends names; .* run `dvc repro entity_trie`"):
        constraint.tokens_into(np.array([3]))


def test_refuses_a_token_that_the_llm_lacks():
    with pytest.raises(ArtifactError, match="holds token 9, the LLM has 7; it was built for another tokenizer"):
        constrain(NAMES, vocab_size=7)
