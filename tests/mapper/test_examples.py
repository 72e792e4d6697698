"""The stream of training batches: an order that follows from the seed, and a place that can be entered again."""

from collections import Counter
from itertools import islice

import pytest
import torch

from gemel.mapper import examples
from gemel.mapper.examples import EachOnce, EndlessBatches, Example, ExampleSegment

SIZE = 7
EXAMPLES = [Example((), (number,)) for number in range(SIZE)]


def numbers(batches: EndlessBatches | EachOnce) -> list[int]:
    return [example.target_ids[0] for batch in batches for example in batch]


def batches() -> list[list[int]]:
    stream = EndlessBatches(EXAMPLES, 4, 3, seed=0)
    return [[example.target_ids[0] for example in batch] for batch in stream]


def test_stream_has_the_given_length_and_batch_size() -> None:
    stream = EndlessBatches(EXAMPLES, 3, 5, seed=0)
    assert len(stream) == 5
    assert [len(batch) for batch in stream] == [3] * 5


def test_order_follows_from_the_seed() -> None:
    first, again, other = (numbers(EndlessBatches(EXAMPLES, 1, 30, seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_every_epoch_holds_each_example_once() -> None:
    found = numbers(EndlessBatches(EXAMPLES, 2, SIZE, seed=0))
    assert Counter(found[:SIZE]) == Counter(found[SIZE:]) == Counter(range(SIZE))


def test_epochs_have_different_orders() -> None:
    found = numbers(EndlessBatches(EXAMPLES, SIZE, 3, seed=0))
    assert len({tuple(found[start : start + SIZE]) for start in (0, SIZE, 2 * SIZE)}) == 3


def test_order_does_not_depend_on_the_batch_size() -> None:
    assert numbers(EndlessBatches(EXAMPLES, 2, 6, seed=0)) == numbers(EndlessBatches(EXAMPLES, 4, 3, seed=0))


def test_processes_share_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = batches()
    for rank in (0, 1):
        monkeypatch.setattr(examples, "own_share", lambda rank=rank: slice(rank, None, 2))
        assert batches() == [batch[rank::2] for batch in whole]


@pytest.mark.parametrize("given", range(7))
def test_state_resumes_at_the_same_place(given: int) -> None:
    whole = list(EndlessBatches(EXAMPLES, 2, 6, seed=0))
    stream, resumed = (EndlessBatches(EXAMPLES, 2, 6, seed=0) for _ in range(2))
    list(islice(stream, given))
    resumed.load_state_dict(stream.state_dict())
    assert list(resumed) == whole[given:]


def test_state_counts_the_batch_in_hand_as_given() -> None:
    stream = EndlessBatches(EXAMPLES, 2, 6, seed=0)
    next(iter(stream))
    assert stream.state_dict() == {"given": 1}


def test_stream_starts_over_when_it_was_read_to_its_end() -> None:
    stream = EndlessBatches(EXAMPLES, 2, 6, seed=0)
    assert numbers(stream) == numbers(stream)


def test_dev_is_read_once_and_in_order() -> None:
    dev = EachOnce(EXAMPLES, 3)
    assert numbers(dev) == numbers(dev) == list(range(SIZE))
    assert [len(batch) for batch in dev] == [3, 3, 1]
    assert len(dev) == 3


@pytest.mark.parametrize("rank", [0, 1])
def test_processes_share_dev(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setattr(examples, "own_share", lambda: slice(rank, None, 2))
    dev = EachOnce(EXAMPLES, 3)
    assert numbers(dev) == list(range(SIZE))[rank::2]
    assert len(dev) == len(list(dev))


def test_positions_count_texts_soft_tokens_and_all_but_the_last_of_the_target() -> None:
    shown, asked = ExampleSegment((1, 2), torch.zeros(3)), ExampleSegment((1, 2, 3), None)
    assert Example((shown, asked), (5, 6, 0)).positions(prefix_tokens=4) == 2 + 4 + 3 + 2
