"""Which contexts are kept between searches: those that come again, the most recently used, within a bound."""

import pytest
import torch

from gemel.llm.kept_contexts import KeptContexts, Layers

SIZE = 80


def layers(value: float = 0.0) -> Layers:
    """One layer whose keys and values take SIZE bytes."""
    return ((torch.full((2, 5, 1), value), torch.full((2, 5, 1), value)),)


def use(kept: KeptContexts, *keys: str) -> list[bool]:
    """Look contexts up as a search does, and hand over those that were read; tell which were found."""
    found = []
    for key in keys:
        found.append(kept.find(key) is not None)
        if not found[-1]:
            kept.keep(key, SIZE, layers)
    return found


def test_context_is_kept_when_it_comes_again() -> None:
    assert use(KeptContexts(10 * SIZE), "a", "a", "a") == [False, False, True]


def test_context_may_be_kept_at_once() -> None:
    assert use(KeptContexts(10 * SIZE, sights=1), "a", "a") == [False, True]


def test_context_that_was_not_looked_up_is_not_kept() -> None:
    kept = KeptContexts(10 * SIZE)
    kept.keep("a", SIZE, layers)
    assert kept.facts().contexts == 0


def test_least_recently_used_goes_first() -> None:
    kept = KeptContexts(2 * SIZE, sights=1)
    assert use(kept, "a", "b", "a", "c", "a", "b") == [False, False, True, False, True, False]


@pytest.mark.parametrize(("max_bytes", "held"), [(2 * SIZE, 2), (2 * SIZE - 1, 1), (SIZE - 1, 0)])
def test_bound_is_held_to_the_byte(max_bytes: int, held: int) -> None:
    kept = KeptContexts(max_bytes, sights=1)
    use(kept, "a", "b", "c")
    assert (kept.facts().contexts, kept.facts().size) == (held, held * SIZE)


def test_room_is_made_before_a_copy_is() -> None:
    kept = KeptContexts(SIZE, sights=1)
    use(kept, "a")
    kept.find("b")
    held = []
    kept.keep("b", SIZE, lambda: held.append(len(kept._held)) or layers())  # type: ignore[func-returns-value]
    assert held == [0]


def test_context_larger_than_the_bound_drives_nothing_out() -> None:
    kept = KeptContexts(SIZE, sights=1)
    use(kept, "a")
    kept.find("b")
    kept.keep("b", SIZE + 1, layers)
    assert kept.find("a") is not None


def test_copy_that_fails_is_not_kept_and_takes_no_room() -> None:
    kept = KeptContexts(SIZE, sights=1)
    kept.find("a")

    def fail() -> Layers:
        raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")

    with pytest.raises(torch.OutOfMemoryError):
        kept.keep("a", SIZE, fail)
    assert kept.facts().size == 0
    assert use(kept, "a", "a") == [False, True]


def test_context_is_copied_once() -> None:
    kept = KeptContexts(10 * SIZE, sights=1)
    kept.find("a")
    kept.keep("a", SIZE, lambda: layers(1.0))
    kept.keep("a", SIZE, lambda: layers(2.0))
    found = kept.find("a")
    assert found is not None
    assert float(found[0][0].max()) == 1.0
    assert kept.facts().size == SIZE


def test_halving_gives_all_up_and_halves_the_bound() -> None:
    kept = KeptContexts(2 * SIZE, sights=1)
    use(kept, "a", "b")
    kept.halve()
    assert (kept.facts().contexts, kept.facts().size, kept.max_bytes) == (0, 0, SIZE)


def test_halving_where_nothing_is_held_leaves_the_bound() -> None:
    kept = KeptContexts(SIZE)
    kept.halve()
    assert kept.max_bytes == SIZE


def test_facts_count_what_was_found_and_missed() -> None:
    kept = KeptContexts(10 * SIZE)
    use(kept, "a", "b", "a", "a")
    assert (kept.facts().found, kept.facts().missed) == (1, 3)


def test_sights_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.llm.kept_contexts._LEAST_REMEMBERED", 2)
    assert use(KeptContexts(10 * SIZE), *"abcaaa") == [False, False, False, False, False, True]


def test_more_sights_are_remembered_where_more_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.llm.kept_contexts._LEAST_REMEMBERED", 2)
    kept = KeptContexts(10 * SIZE)
    use(kept, *"xxyy")
    assert use(kept, *"abcaa") == [False, False, False, False, True]
