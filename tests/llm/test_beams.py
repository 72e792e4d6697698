"""When a mention is decided, on beams made by hand."""

import numpy as np
import pytest
import torch

from gemel.entities.constraint import TrieConstraint
from gemel.entities.trie import NONE
from gemel.entities.trie_build import build_trie
from gemel.llm.beams import Beams

# Node 1 ends name 0; below node 2 the longest way to an end takes 4 more tokens.
TRIE = build_trie([(3,), (4, 5, 6, 7)])
SHORT_END, LONG = 1, 2


def decided(results: int, *, finished: list[float], live: float, state: int = LONG, length: int = 1) -> bool:
    """Whether a mention with two beams is decided. finished: means of its names. live: score of its one live beam."""
    beams = Beams.start(np.array([0]), np.array([0]), np.array([2]))
    beams.lengths[:] = length
    beams.states[0], beams.scores[0, 0] = [state, NONE], live
    beams.means[0, : len(finished)] = finished
    constraint = TrieConstraint(TRIE, eos_token_id=9, vocab_size=10, device=torch.device("cpu"))
    return bool(beams.decided(results, constraint)[0])


def test_live_beam_that_can_still_win_is_followed() -> None:
    # It may reach -1.0 / (1 + 4) = -0.2.
    assert not decided(1, finished=[-0.3], live=-1.0)


def test_live_beam_that_can_not_win_however_long_ends_the_search() -> None:
    assert decided(1, finished=[-0.1], live=-1.0)


def test_second_place_is_still_open_where_two_results_are_wanted() -> None:
    assert not decided(2, finished=[-0.1], live=-1.0)


def test_reach_takes_the_length_so_far_into_account() -> None:
    assert not decided(1, finished=[-0.15], live=-1.0, length=3)  # -1.0 / (3 + 4)
    assert decided(1, finished=[-0.14], live=-1.0, length=3)


@pytest.mark.parametrize(("live", "over"), [(-0.9, False), (-1.1, True)])
def test_all_places_taken_end_the_search_by_the_mean_so_far(live: float, over: bool) -> None:
    assert decided(2, finished=[-0.5, -1.0], live=live) is over


def test_nothing_alive_ends_the_search() -> None:
    assert decided(2, finished=[-0.5], live=0.0, state=NONE)
