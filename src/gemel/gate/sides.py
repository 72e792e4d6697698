"""The answers of two releases by the one inference path, with the same frozen models and the same catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gemel.changes.assembly import demonstrations_of
from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.core.schema import Post
from gemel.gate.graded import Graded
from gemel.gate.questions import Answer, Questions
from gemel.links import link_rows

if TYPE_CHECKING:
    from gemel.bundle import Bundle
    from gemel.predictor import Linker, Opened

BY_HAND = "if its frozen models are others than the challenger's, promote that by hand"


def open_champion(champion: Path, linker: Linker) -> Opened:
    """The champion beside the challenger, with the challenger's frozen models, catalog and trie.

    Demonstrations of entities that the catalog lacks by now are gone, as they would be from a release of today.
    linker: has opened the challenger.
    Raises: ArtifactError if the champion is absent, damaged, or made for another tokenizer or other frozen models.
    """
    challenger = linker.opened.bundle

    def amend(bundle: Bundle) -> Bundle:
        shown = demonstrations_of(bundle.demonstrations, challenger.catalog)
        return replace(bundle, catalog=challenger.catalog, trie=challenger.trie, demonstrations=shown)

    try:
        return linker.prepare(champion, amend)
    except ArtifactError as error:
        raise ArtifactError(f"the champion can't be asked what the challenger is asked: {error}; {BY_HAND}") from error


def grade(linker: Linker, opened: Opened, release: Path, questions: Questions) -> Graded:
    """What a release, opened by a linker, answers to questions. release: its folder.

    The linker has the release in use from then on. A post that can't be linked counts as answered wrong.
    """
    linker.opened = opened
    return Graded(artifact_hash(release), questions.grade(ask(linker, questions.posts)))


def ask(linker: Linker, posts: Sequence[Post]) -> list[Answer]:
    """The answers to posts of one mention each, in their order."""
    found: dict[int, Answer] = {}
    for place, rows in link_rows(linker, posts):
        (row,) = rows
        best = row if row["entity_id"] is not None else next(iter(row["runners_up"] or ()), {"entity_id": ""})
        found[place] = Answer(best["entity_id"], bool(row["nil"]))
    return [found[place] for place in range(len(posts))]
