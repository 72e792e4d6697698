"""From a query to the entities that answer it: prompt, soft tokens, search, images of the entities found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gemel.confidence.entity_images import EntityImages
from gemel.core.errors import ConfigError, ShapeError
from gemel.core.schema import Candidate, Demonstration, Mention
from gemel.core.settings import TOKENS_AT_ONCE, LinkerSettings, Rescoring
from gemel.entities.catalog import Catalog
from gemel.entities.choices import Choices
from gemel.entities.subset import TrieSubset
from gemel.entities.trie import PackedTrie
from gemel.features.tower import Vectors
from gemel.llm.backbone import FrozenLLM
from gemel.llm.search import BeamSearch, Hypotheses
from gemel.llm.segments import Prompt, Segment
from gemel.mapper.adapters.base import Adapter
from gemel.tasks.linking.demonstrations import DemonstrationBook
from gemel.tasks.linking.prompt import Prefix, Segments, build_prompt, query_segment
from gemel.tasks.linking.rescoring import rescored

Sight = Literal["image", "caption", "nothing"]


@dataclass(frozen=True)
class Query:
    """One mention, ready to link.

    vector: its image's vision vector (vision_dim,), or None. caption: a gold caption, for the upper bound.
    demonstrations: rows of the book, the most relevant first. among: the names to choose among; None: all.
    """

    mention: Mention
    text: str
    demonstrations: tuple[int, ...]
    vector: Vectors | None = None
    caption: str | None = None
    among: TrieSubset | None = None


@dataclass(frozen=True)
class Answer:
    """The candidates for one query, best first.

    left_out: how many demonstrations, the least relevant ones, the LLM's context had no room for. kept_characters: how
    many of the text it had room for; None where it had room for all.
    """

    candidates: tuple[Candidate, ...]
    left_out: int = 0
    kept_characters: int | None = None


def rescored_answer(
    answer: Answer, query: Query, images: EntityImages, rescoring: Rescoring, results: int | None = None
) -> Answer:
    """The answer after re-scoring by the images of its entities; the same for a query without an image.

    results: candidates that are wanted; probabilities are shares among these.
    """
    kept = rescored(
        answer.candidates, images.likeness([each.entity_id for each in answer.candidates], query.vector), rescoring
    )
    if results is not None and results < len(kept):
        whole = sum(each.probability for each in kept[:results])
        kept = tuple(replace(each, probability=each.probability / whole) for each in kept[:results])
    return replace(answer, candidates=kept)


@dataclass(frozen=True)
class Asked:
    """A query as the LLM reads it. left_out, kept_characters: see Answer."""

    prompt: Prompt
    left_out: int
    kept_characters: int | None


class Answerer:
    """Answers queries: prompt, soft tokens, search."""

    def __init__(
        self,
        llm: FrozenLLM,
        mapper: Adapter,
        catalog: Catalog,
        trie: PackedTrie,
        book: DemonstrationBook,
        vectors: Mapping[str, Vectors],
        settings: LinkerSettings,
        tokens_at_once: int = TOKENS_AT_ONCE,
        entity_images: EntityImages | None = None,
        kept_bytes: int = 0,
    ) -> None:
        """vectors: image SHA-256 -> vision vector, for the images of the book. tokens_at_once: see RuntimeSettings.
        entity_images: by which beams are re-scored, where the settings say so. kept_bytes: see BeamSearch; mapper and
        book must not change while demonstrations are kept.

        Raises: ShapeError if the trie's longest name leaves no room for a prompt in the LLM's context.
        """
        self._llm, self._mapper, self._catalog = llm, mapper.to(llm.model.device), catalog
        self._book, self._vectors, self._settings = book, vectors, settings
        self._entity_images = entity_images
        self.choices = Choices(catalog, trie)
        self._several_names = trie.owners is not None
        self._search = BeamSearch(
            llm.model,
            trie,
            eos_token_id=llm.eos_token_id,
            num_beams=settings.num_beams,
            tokens_at_once=tokens_at_once,
            kept_bytes=kept_bytes,
        )
        self.kept = self._search.kept
        bos = llm.leading_ids(settings.backbone.llm.leading_bos)
        self._leading = (Segment(bos),) if bos else ()
        # The last token of a name is never read.
        self._room = llm.context - len(bos) - (trie.depth - 1)
        if self._room < 1:
            raise ShapeError(
                f"names of up to {trie.depth - 1} tokens leave no room for a prompt in the LLM's {llm.context} "
                "positions; shorten the longest names of the catalog, or choose another LLM"
            )

    def answer(self, queries: Sequence[Query], sight: Sight = "image", results: int | None = None) -> list[Answer]:
        """Answer each query. Those with the same demonstrations have them read once.

        sight: what stands before each segment: soft tokens of its image, its gold caption, or nothing. results:
        candidates that are wanted, at most num_beams, which is the default.
        Raises: RequestError if the question for a mention doesn't fit the LLM, even without any text. ConfigError if
        results is below 1.
        """
        asked = self.ask(queries, sight)
        images, rescoring = self._entity_images, self._settings.rescoring
        # The first few names may all be of one entity, and an image can bring any candidate of the beam to the front.
        whole = self._several_names or not (images is None or rescoring is None)
        if results is not None and results < 1:
            raise ConfigError(f"results: must be at least 1, got {results}")
        found = self._search.find(
            [each.prompt for each in asked],
            among=[query.among for query in queries],
            results=None if whole else results,
        )
        few = results if images is None or rescoring is None else None
        answers = [
            Answer(self._candidates(_entities(hypotheses, few)), each.left_out, each.kept_characters)
            for hypotheses, each in zip(found, asked, strict=True)
        ]
        if images is None or rescoring is None:
            return answers
        return [
            rescored_answer(answer, query, images, rescoring, results)
            for answer, query in zip(answers, queries, strict=True)
        ]

    def shown(self, query: Query, answer: Answer) -> tuple[Demonstration, ...]:
        """The demonstrations that an answer was found with, the most relevant first."""
        rows = query.demonstrations[: len(query.demonstrations) - answer.left_out]
        return tuple(self._book.shown(row) for row in rows)

    def ask(self, queries: Sequence[Query], sight: Sight = "image") -> list[Asked]:
        """Write each query's prompt; those that show the same demonstrations hold one and the same context.

        sight, Raises: as answer has them.
        """
        with torch.inference_mode():
            soft = self._soft_tokens(queries) if sight == "image" else {}
        contexts: dict[tuple[object, ...], tuple[Segment, ...]] = {}
        found = []
        for query in queries:
            *shown, asked = self._segments(query, sight, soft)
            context = contexts.setdefault((query.demonstrations, len(shown)), (*self._leading, *shown))
            left_out = len(query.demonstrations) - len(shown)
            # Mapper, book and settings are those of this answerer, as is what is kept.
            key = (sight, query.demonstrations[: len(shown)]) if shown else None
            found.append(Asked(Prompt((asked,), context, key), left_out, asked.kept_characters))
        return found

    def _segments(self, query: Query, sight: Sight, soft: Mapping[object, Tensor]) -> Segments:
        rows = query.demonstrations
        shown = [
            self._book.segment(row, self._prefix(sight, self._book.images[row], self._book.captions[row], soft))
            for row in rows
        ]
        image = None if query.vector is None else id(query.vector)
        prefix = self._prefix(sight, image, query.caption, soft)
        asked = query_segment(query.text, query.mention, prefix, self._llm.encode, self._room)
        return build_prompt(shown, asked, self._room, self._settings.demonstrations.order)

    def _prefix(self, sight: Sight, image: object, caption: str | None, soft: Mapping[object, Tensor]) -> Prefix:
        if sight == "caption":
            return None if caption is None else tuple(self._llm.encode(f" {caption}"))
        return soft.get(image)

    def _soft_tokens(self, queries: Sequence[Query]) -> dict[object, Tensor]:
        """Soft tokens of every image in sight, by image SHA-256 or by the id of a query's vector.

        The key None stands for a missing image; without an entry its prefix is left out.
        """
        wanted: dict[object, Vectors] = {}
        for query in queries:
            if query.vector is not None:
                wanted[id(query.vector)] = query.vector
            for sha256 in (self._book.images[row] for row in query.demonstrations):
                if sha256 is not None:
                    wanted[sha256] = self._vectors[sha256]
        if self._settings.missing_image == "zero_vector":
            wanted[None] = np.zeros(self._mapper.vision_dim, dtype=np.float32)
        if not wanted:
            return {}
        images = torch.from_numpy(np.stack(list(wanted.values()))).to(self._llm.model.device)
        return dict(zip(wanted, self._mapper(images), strict=True))

    def _candidates(self, hypotheses: Hypotheses) -> tuple[Candidate, ...]:
        shares = torch.tensor(hypotheses.scores, dtype=torch.float64).softmax(0).tolist()
        entities = [self._catalog.at(index) for index in hypotheses.name_indices]
        return tuple(
            Candidate(entity.entity_id, entity.name, score, share)
            for entity, score, share in zip(entities, hypotheses.scores, shares, strict=True)
        )


def _entities(found: Hypotheses, results: int | None) -> Hypotheses:
    """Each entity with the score of the best of its names. results: how many are wanted; None: all."""
    # Names come best first, so the first of an entity is its best.
    best: dict[int, float] = {}
    for index, score in zip(found.name_indices, found.scores, strict=True):
        best.setdefault(index, score)
    some = list(best.items())[:results]
    return Hypotheses(tuple(index for index, _ in some), tuple(score for _, score in some))
