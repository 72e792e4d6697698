"""The linker's LLM with the trie taken away: with the soft tokens of the image, or alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gemel.answerer import Answer, Answerer, Sight
from gemel.baselines.free_text import FreeWriter, Written
from gemel.baselines.ranking import candidate
from gemel.core.schema import Candidate
from gemel.entities.catalog import Catalog
from gemel.evaluation.grading import Graded
from gemel.evaluation.variants import queries
from gemel.features.tower import Vectors

NAMELESS = ""  # the entity id of a text that is no entity's name


class WrittenNames:
    """The LLM reads the linker's own prompts and writes freely; what it wrote is looked up among the catalog's names.

    A text that is no generated name of the catalog, to the letter, keeps its place among the candidates with an empty
    id, and so is wrong. There is at most one candidate a beam.
    """

    def __init__(
        self,
        answerer: Answerer,
        writer: FreeWriter,
        catalog: Catalog,
        chosen: Mapping[str, Sequence[int]],
        vectors: Callable[[str | None], Vectors | None],
        sight: Sight,
    ) -> None:
        """answerer: writes the prompts. chosen: mention id -> demonstrations. vectors: of an image's SHA-256.

        sight: "image" for soft tokens, or "nothing".
        """
        self._answerer, self._writer, self._sight = answerer, writer, sight
        self._chosen, self._vectors = chosen, vectors
        self._id_of = dict(zip(catalog.names, catalog.ids, strict=True))

    def answer(self, mentions: Graded) -> list[Answer]:
        """See `Baseline`; the score is the mean log-probability per token."""
        asked = self._answerer.ask(queries(mentions, self._chosen, self._vectors), self._sight)
        found = self._writer.write([each.prompt for each in asked])
        return [
            Answer(tuple(map(self._candidate, texts)), each.left_out, each.kept_characters)
            for texts, each in zip(found, asked, strict=True)
        ]

    def _candidate(self, written: Written) -> Candidate:
        return candidate(self._id_of.get(written.text, NAMELESS), written.text, written.score)
