"""Which mentions share a row of the cache, and which rows form a batch."""

import pytest

from gemel.llm.batches import SLOTS_PER_BEAM, Row, make_batches, make_rows
from gemel.llm.segments import Prompt, Segment

CONTEXT, OTHER = (Segment(tuple(range(100))),), (Segment(tuple(range(100))),)
BEAMS = 2


def prompt(length: int, context: tuple[Segment, ...] = ()) -> Prompt:
    return Prompt((Segment(tuple(range(length))),), context)


def alone(length: int) -> Row:
    return Row((0,), (prompt(length),), 0, (length,))


def together(mentions: int, length: int) -> Row:
    return Row(tuple(range(mentions)), (prompt(length, CONTEXT),) * mentions, 100, (length,) * mentions)


def lengths_of(rows: list[Row], tokens_at_once: int) -> list[list[int]]:
    return [[row.width for row in batch] for batch in make_batches(rows, BEAMS, tokens_at_once)]


def test_prompts_that_hold_one_context_share_a_row() -> None:
    rows = make_rows([prompt(5, CONTEXT), prompt(7, OTHER), prompt(6, CONTEXT)])
    assert [row.mentions for row in rows] == [(0, 2), (1,)]
    assert [row.width for row in rows] == [111, 107]


def test_queries_of_a_row_are_no_longer_than_its_context() -> None:
    rows = make_rows([prompt(30, CONTEXT) for _ in range(7)])
    assert [row.mentions for row in rows] == [(0, 1, 2), (3, 4, 5), (6,)]


def test_query_longer_than_its_context_has_a_row_of_its_own() -> None:
    assert [row.mentions for row in make_rows([prompt(150, CONTEXT), prompt(3, CONTEXT)])] == [(0,), (1,)]


def test_prompts_without_a_context_share_nothing() -> None:
    assert [row.mentions for row in make_rows([prompt(5), prompt(5)])] == [(0,), (1,)]


def test_batches_are_filled_in_order_of_length() -> None:
    room = SLOTS_PER_BEAM * BEAMS
    assert lengths_of([alone(30), alone(10), alone(20)], tokens_at_once=2 * (20 + room)) == [[10, 20], [30]]


def test_row_beyond_the_budget_comes_alone() -> None:
    assert lengths_of([alone(10), alone(900)], tokens_at_once=100) == [[10], [900]]


@pytest.mark.parametrize("tokens_at_once", [1, 10_000])
def test_every_row_is_in_one_batch(tokens_at_once: int) -> None:
    rows = [alone(length) for length in (5, 900, 3, 70)]
    widths = [width for batch in lengths_of(rows, tokens_at_once) for width in batch]
    assert sorted(widths) == [3, 5, 70, 900]


def test_rows_of_many_mentions_do_not_pad_those_of_few() -> None:
    rows = [together(8, 3), alone(60), together(2, 3), together(3, 3)]
    batches = list(make_batches(rows, BEAMS, 1_000_000))
    assert [[len(row.mentions) for row in batch] for batch in batches] == [[1], [2, 3], [8]]


def test_halves_hold_all_mentions() -> None:
    first, second = together(5, 3).halves()
    assert (first.mentions, second.mentions) == ((0, 1), (2, 3, 4))
    assert (first.width, second.width) == (106, 109)
    assert list(make_batches([first, second], BEAMS, 1_000_000)) == [[first, second]]
