"""New posts of the sample world, and the linker of its release; for benchmarks over `make repro`."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterable
from pathlib import Path

from gemel.core.schema import Post
from gemel.posts.requests import parse_request
from gemel.predictor import Linker
from sample.dataset import Draft, write_post
from sample.world import Inhabitant


def load_quietly(release: Path, kept_bytes: int = 0) -> Linker:
    """The linker of a release, without the notice of its backbones. kept_bytes: as Linker.load has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linker.load(release, kept_bytes=kept_bytes)


class NewPosts:
    """Draws posts as the data set's were drawn, from another seed; never a text of the data set, never one twice."""

    def __init__(self, folder: Path, taken: Iterable[str], seed: int) -> None:
        """folder: for the pictures. taken: texts of the data set."""
        (folder / "images").mkdir(parents=True)
        self._folder, self._texts, self._rng, self._count = folder, set(taken), random.Random(seed), 0

    def of(self, who: Iterable[Inhabitant]) -> list[Post]:
        """A post about each; the gold entity is the mention's."""
        posts = []
        for one in who:
            draft = Draft(one.mention, one.kind, one)
            row = write_post(self._count, "test", draft, self._texts, self._folder, self._rng)
            posts.append(parse_request(row, str(row["id"]), self._folder))
            self._count += 1
        return posts

    def by_popularity(self, who: list[Inhabitant], count: int) -> list[Post]:
        """Posts about some of them, the better known ones more often."""
        return self.of(self._rng.choices(who, [one.popularity for one in who], k=count))
