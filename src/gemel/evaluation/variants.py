"""The linker with and without its parts: which variants there are, and how one answers the graded mentions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gemel.answerer import Answer, Answerer, Query, Sight
from gemel.core.schema import Mention
from gemel.evaluation.grading import Graded
from gemel.evaluation.names import ALONE, BLIND, CAPTIONED, FULL, IMAGELESS
from gemel.features.tower import Vectors


@dataclass(frozen=True)
class Variant:
    """One way to link. seeds: the mappers to run; one is enough where the mapper plays no part.

    method: demonstrations by this method, or None for no demonstrations. imageless: as if no post to link had an image,
    also when its demonstrations are chosen.
    """

    name: str
    sight: Sight
    method: str | None
    seeds: tuple[int, ...]
    imageless: bool = False


def variants(method: str, compare: Sequence[str], seeds: Sequence[int], captions: bool) -> tuple[Variant, ...]:
    """The linker, its ablations, the upper bound where there are captions, and other ways to choose demonstrations."""
    every, one = tuple(seeds), tuple(seeds[:1])
    found = [
        Variant(FULL, "image", method, every),
        Variant(BLIND, "nothing", method, one, imageless=True),
        Variant(IMAGELESS, "image", method, every, imageless=True),
        Variant(ALONE, "image", None, every),
    ]
    if captions:
        found.append(Variant(CAPTIONED, "caption", method, one))
    return (
        *found,
        *(Variant(f"{other} demonstrations", "image", other, every) for other in compare if other != method),
    )


def queries(
    mentions: Graded, chosen: Mapping[str, Sequence[int]] | None, vector_of: Callable[[str | None], Vectors | None]
) -> list[Query]:
    """One query a mention. chosen: mention id -> demonstrations, or None for none."""
    return [
        Query(
            Mention(row["mention"], row["start"]),
            row["text"],
            tuple(chosen[row["mention_id"]]) if chosen is not None else (),
            vector_of(row["image_sha256"]),
            row["caption"],
        )
        for row in mentions.table.iter_rows(named=True)
    ]


def predict(answerer: Answerer, asked: Sequence[Query], sight: Sight, at_once: int) -> Iterator[tuple[int, Answer]]:
    """Answer each query, a batch at a time: the place of each among those asked, and its answer.

    Queries with the same demonstrations come into the same batch, where these are read once.
    """
    order = sorted(range(len(asked)), key=lambda place: asked[place].demonstrations)
    for start in range(0, len(order), at_once):
        places = order[start : start + at_once]
        yield from zip(places, answerer.answer([asked[place] for place in places], sight), strict=True)
