"""Training examples of entity linking: a prompt with demonstrations, and the name to answer with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import polars as pl
import torch
from torch import Tensor

from gemel.core.errors import DataError
from gemel.core.schema import Mention
from gemel.core.settings import Order
from gemel.features.tower import Vectors
from gemel.mapper.examples import Example, ExampleSegment
from gemel.tasks.linking.demonstrations import DemonstrationBook
from gemel.tasks.linking.prompt import Encode, build_prompt, in_order, query_segment

VectorOf = Callable[[str | None], Vectors | None]


def training_examples(
    solved: pl.DataFrame,
    chosen: Mapping[str, Sequence[int]],
    book: DemonstrationBook,
    vector_of: VectorOf,
    encode: Encode,
    eos_token_id: int,
    without_demonstrations: float = 0.0,
    *,
    prefix_tokens: int,
    context: int,
    order: Order = "relevance",
    vary_demonstrations: bool = False,
    drop_images: float = 0.0,
    chosen_without_image: Mapping[str, Sequence[int]] | None = None,
) -> list[Example]:
    """One example for each solved mention.

    chosen: mention id -> rows of the book, the most relevant first. vector_of: image SHA-256 (None: no image) ->
    vision vector, or None to leave the prefix out.
    without_demonstrations: share of examples that show none. With demonstrations at hand the answer is mostly among
    them, and a mapper could get by with making equal images equal; alone, it has to speak the LLM's language.
    prefix_tokens: positions that an image takes. context: positions that the LLM reads; what doesn't fit is left out as
    in linking: the least relevant demonstrations, then the ends of the text.
    order: of the demonstrations, see build_prompt. vary_demonstrations: show any number of them, the most relevant.
    drop_images: share of examples whose query is taken to have no image; chosen_without_image: what they show, where
    that differs from `chosen`.
    All that is left to chance follows from the mention's id alone.
    The target is the name's token ids, as in the trie, and EOS.
    Raises: DataError if there is nothing to learn from; RequestError if a question doesn't fit without any text either.
    """
    if solved.is_empty():
        raise DataError("no linkable mention to train on: every mention of the split is NIL or was rejected")
    # Each image is one tensor, however many examples show it.
    tensor_of = cache(partial(_tensor, vector_of))
    examples = []
    for row in solved.iter_rows(named=True):
        target = (*encode(row["name"]), eos_token_id)
        mention_id = row["mention_id"]
        dropped = _lot(f"{mention_id}\timage") < drop_images
        rows = (chosen_without_image or chosen if dropped else chosen)[mention_id]
        if vary_demonstrations:
            rows = rows[: int(_lot(f"{mention_id}\tcount") * (len(rows) + 1))]
        if _lot(mention_id) < without_demonstrations:
            rows = ()
        images = [
            *(tensor_of(book.images[shown]) for shown in rows),
            tensor_of(None if dropped else row["image_sha256"]),
        ]
        # Only the length of the prefixes counts here: the mapper fills them in at each step.
        *prefixes, asked = [None if image is None else (0,) * prefix_tokens for image in images]
        shown = [book.segment(place, prefix) for place, prefix in zip(rows, prefixes, strict=True)]
        mention, room = Mention(row["mention"], row["start"]), context - len(target)
        query = query_segment(row["text"], mention, asked, encode, room)
        prompt = build_prompt(shown, query, room, order)
        kept = [*in_order(images[: len(prompt) - 1], order), images[-1]]
        segments = [ExampleSegment(segment.token_ids, image) for segment, image in zip(prompt, kept, strict=True)]
        examples.append(Example(tuple(segments), target, query.kept_characters is not None, mention_id))
    return examples


def _lot(drawn_for: str) -> float:
    """A number in [0, 1) that follows from a string alone."""
    return int.from_bytes(hashlib.sha256(drawn_for.encode()).digest()[:4]) / 2**32


def _tensor(vector_of: VectorOf, sha256: str | None) -> Tensor | None:
    vector = vector_of(sha256)
    return None if vector is None else torch.tensor(vector)
