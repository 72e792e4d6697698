"""Shards over workers: each once, a failed one again, one that fails always named; the others go on."""

from collections.abc import Callable

import pytest

from gemel.archive.lanes import LaneDiedError, run_shards
from gemel.archive.worker import Outcome
from gemel.core.errors import ArtifactError

Link = Callable[[int], Outcome]


class PlayedLane:
    """A lane that does as it is told."""

    opened = 0

    def __init__(self, link: Link) -> None:
        PlayedLane.opened += 1
        self.link = link

    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture(autouse=True)
def none_opened() -> None:
    PlayedLane.opened = 0


def run(link: Link, shards: int = 4, lanes: int = 1, attempts: int = 2) -> list[Outcome]:
    return list(run_shards(range(shards), lambda: PlayedLane(link), lanes, attempts))


@pytest.mark.parametrize("lanes", [1, 3])
def test_every_shard_is_linked_once(lanes: int) -> None:
    assert sorted(outcome.shard for outcome in run(Outcome, lanes=lanes)) == [0, 1, 2, 3]
    assert PlayedLane.opened <= lanes


def failing(times: int, seen: list[int]) -> Link:
    def link(shard: int) -> Outcome:
        seen.append(shard)
        return Outcome(shard, problem="out of memory" if shard == 1 and seen.count(1) <= times else "")

    return link


def test_shard_that_fails_is_tried_again_behind_the_others() -> None:
    seen: list[int] = []
    assert not [outcome for outcome in run(failing(1, seen)) if outcome.problem]
    assert seen == [0, 1, 2, 3, 1]


@pytest.mark.parametrize("lanes", [1, 2])
def test_shard_that_fails_again_is_named_and_the_others_go_on(lanes: int) -> None:
    seen: list[int] = []
    outcomes = run(failing(9, seen), lanes=lanes)
    assert [outcome.shard for outcome in outcomes if outcome.problem] == [1]
    assert sorted(outcome.shard for outcome in outcomes) == [0, 1, 2, 3]
    assert seen.count(1) == 2


@pytest.mark.parametrize("lanes", [1, 2])
def test_worker_that_dies_is_replaced_and_its_shard_tried_again(lanes: int) -> None:
    died: list[int] = []

    def link(shard: int) -> Outcome:
        if shard == 2 and not died:
            died.append(shard)
            raise LaneDiedError("killed")
        return Outcome(shard)

    outcomes = run(link, lanes=lanes)
    assert not [outcome for outcome in outcomes if outcome.problem]
    assert sorted(outcome.shard for outcome in outcomes) == [0, 1, 2, 3]


@pytest.mark.parametrize("lanes", [1, 2])
def test_linker_that_can_not_be_loaded_ends_the_run(lanes: int) -> None:
    def open_lane() -> PlayedLane:
        raise ArtifactError("release: damaged")

    with pytest.raises(ArtifactError, match="release: damaged"):
        list(run_shards(range(4), open_lane, lanes, attempts=2))
