"""The release in use, and what is asked of it: links, explanations, entities. Another release takes its place."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from bento.logs import LOGGER
from bento.memory import leave_alone_what_stays
from bento.release_store import find_release, release_folder, remember_served, served_last
from bento.settings import ServiceSettings
from gemel.bundle import Bundle, stamp_of
from gemel.core.artifacts import artifact_hash, read_manifest
from gemel.core.errors import GemelError, RequestError
from gemel.core.schema import Explanation, Link, Post
from gemel.core.settings import RuntimeSettings
from gemel.entities.catalog import Catalog
from gemel.entities.prefixes import PrefixIndex
from gemel.features.tower import Vectors
from gemel.links import link_or_refuse
from gemel.mentions.dictionary import DictionaryFinder
from gemel.posts.requests import RefusedLine
from gemel.predictor import Linker, Opened

log = logging.getLogger(LOGGER)
RELEASE_DIGITS = 16
Amend = Callable[[Bundle, Linker], Bundle]


@dataclass(frozen=True)
class Question:
    """A post to link. pixels: its image as Engine.preprocess gives it. explain: say why, too."""

    post: Post
    pixels: Tensor | None = None
    explain: bool = False

    @property
    def weight(self) -> int:
        """Mentions that the linker has to link for it; an explanation has each linked four times."""
        return len(self.post.mentions) * (4 if self.explain else 1)


@dataclass(frozen=True)
class Linked:
    """The links of a post, with why where that was asked for.

    release: that linked it. vector: of its image, (vision_dim,).
    """

    links: tuple[Link, ...]
    explanations: tuple[Explanation | None, ...]
    release: str
    vector: Vectors | None = None


class Release:
    """A release that is served. name: first digits of its hash. facts: of its manifest."""

    def __init__(self, folder: Path, opened: Opened) -> None:
        self.folder, self.opened = folder, opened
        self.name = artifact_hash(folder)[:RELEASE_DIGITS]
        self.facts = read_manifest(folder, "release")

    @property
    def catalog(self) -> Catalog:
        """Its entities."""
        return self.opened.bundle.catalog

    @cached_property
    def prefixes(self) -> PrefixIndex:
        """Its entities by the beginning of their names."""
        return PrefixIndex.of(self.catalog.table)

    @cached_property
    def finder(self) -> DictionaryFinder:
        """Finds its entities' names in texts."""
        return DictionaryFinder.of(self.catalog.table, self.opened.bundle.demonstrations)


class Engine:
    """Links with the release in use.

    release: that one; it is another one after `take_up`. preprocess: a picture as the vision encoder reads it.
    """

    def __init__(self, root: Path, settings: ServiceSettings, amend: Amend | None = None) -> None:
        """Load the release and its frozen models, and link a mention with them.

        root: the project's. amend: what the service adds to a release, such as feedback that acts at once.
        Where the release can't be used, the one that was served last is loaded, and the log says why: a worker that
        comes back must not fail for a bad release that the others refused.
        Raises: ArtifactError if there is no release, or it is damaged; BackboneError if a frozen model can't be had.
        """
        self._root, self._amend, self._kept_bytes = root, amend, int(settings.kept_prompts)
        self._refused: object = None
        self._changing = threading.Lock()
        self._seen = self._stamp()
        try:
            self.release = self._loaded(find_release(root))
        except GemelError as error:
            former = served_last(root)
            if former is None:
                raise
            self.release = self._loaded(former)
            log.error("the release is refused", extra={"facts": {"in_use": self.release.name, "why": str(error)}})
        self.take_up(self.release)
        self.preprocess = self._linker.preprocess

    def answer(self, questions: Sequence[Question]) -> list[Linked | Exception]:
        """Link some posts together, each as it would be linked alone; those that can't be say why."""
        release = self.release
        seen = [question.pixels for question in questions if question.pixels is not None]
        vectors = iter(self._linker.encode_pixels(seen))
        posts = [
            question.post if question.pixels is None else replace(question.post, picture=next(vectors))
            for question in questions
        ]
        asked = list(zip(posts, questions, strict=True))
        linked = iter(link_or_refuse(self._linker, [post for post, question in asked if not question.explain], None))
        return [
            self._explained(post, release.name) if question.explain else _linked(post, next(linked), release.name)
            for post, question in asked
        ]

    def prepared(self) -> Release | None:
        """The release that lies in the folder now, opened beside the one in use; None if it is the same.

        A release that was refused is not looked at again. Raises: GemelError if it can't be used.
        """
        with self._changing:
            stamp = self._stamp()
            if stamp is None or stamp in (self._seen, self._refused):
                return None
            try:
                release = self._opened(find_release(self._root))
            except Exception:
                self._refused = stamp
                raise
            self._seen = stamp
            return release

    def amended(self) -> Release:
        """The release in use, opened anew with what the service adds to it by now."""
        with self._changing:
            return self._opened(self.release.folder)

    def take_up(self, release: Release) -> None:
        """Use a release from now on. Call it between two calls of `answer`."""
        self._linker.opened = release.opened
        self.release = release
        remember_served(self._root, release.folder)
        leave_alone_what_stays()

    def _loaded(self, folder: Path) -> Release:
        device = RuntimeSettings().torch_device
        self._linker = Linker.load(folder, root=self._root, device=device, kept_bytes=self._kept_bytes)
        return self._opened(folder)

    def _opened(self, folder: Path) -> Release:
        amend = self._amend
        with_linker = None if amend is None else lambda bundle: amend(bundle, self._linker)
        release = Release(folder, self._linker.prepare(folder, with_linker))
        # Made here, and not by the first who asks.
        _ = release.prefixes, release.finder
        return release

    def _stamp(self) -> object:
        return stamp_of(release_folder(self._root))

    def _explained(self, post: Post, release: str) -> Linked | Exception:
        try:
            found = tuple(self._linker.explain(post))
        except GemelError as error:
            return error
        return Linked(tuple(each.link for each in found), found, release, _vector(post))


def _linked(post: Post, found: list[Link] | RefusedLine, release: str) -> Linked | Exception:
    if isinstance(found, RefusedLine):
        return RequestError(found.reason)
    return Linked(tuple(found), (None,) * len(found), release, _vector(post))


def _vector(post: Post) -> Vectors | None:
    return post.picture if isinstance(post.picture, np.ndarray) else None
