"""Re-scoring in an evaluation: fitted on what the linker answered on dev, then applied to every variant that sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gemel.answerer import Answer, Query, rescored_answer
from gemel.confidence.entity_images import EntityImages
from gemel.core.settings import Rescoring
from gemel.evaluation.grading import Graded
from gemel.evaluation.names import FULL, UNRESCORED
from gemel.evaluation.predictions import prediction_table
from gemel.evaluation.variants import Variant
from gemel.tasks.linking.rescoring import Beam, fit_rescoring


@dataclass(frozen=True)
class Linked:
    """What a variant answered on a split with one mapper. asked: the queries, one an answer."""

    variant: Variant
    split: str
    seed: int
    asked: Sequence[Query]
    answers: Sequence[Answer]


def fit_on(linked: Iterable[Linked], mentions: Graded, images: EntityImages, split: str = "dev") -> Rescoring | None:
    """Fit on the linker's own answers, those of all mappers together. mentions: of the split.

    Returns: see `fit_rescoring`.
    """
    return fit_rescoring(
        [
            beam
            for run in linked
            if run.variant.name == FULL and run.split == split
            for beam in _beams(run, mentions, images)
        ]
    )


def rescore(linked: Iterable[Linked], images: EntityImages, by: Rescoring | None) -> list[Linked]:
    """Re-score the answers of every variant that sees images; the linker's own are kept as a variant, too.

    by: None: all answers stay as they are.
    """
    if by is None:
        return list(linked)
    found = []
    for run in linked:
        if run.variant.name == FULL:
            found.append(replace(run, variant=replace(run.variant, name=UNRESCORED)))
        if run.variant.sight == "nothing":
            found.append(run)
        else:
            pairs = zip(run.answers, run.asked, strict=True)
            found.append(replace(run, answers=[rescored_answer(*pair, images, by) for pair in pairs]))
    return sorted(found, key=lambda run: run.variant.name == UNRESCORED)


def predictions_of(linked: Iterable[Linked], mentions: Mapping[str, Graded]) -> pl.DataFrame:
    """The answers as one table, see prediction_table. mentions: of each split."""
    return pl.concat(
        prediction_table(mentions[run.split], run.split, run.variant.name, run.seed, run.answers) for run in linked
    )


def _beams(run: Linked, mentions: Graded, images: EntityImages) -> Iterable[Beam]:
    ids = [[candidate.entity_id for candidate in answer.candidates] for answer in run.answers]
    for answer, query, found, place in zip(run.answers, run.asked, ids, mentions.places(ids), strict=True):
        scores = np.array([candidate.score for candidate in answer.candidates])
        yield Beam(scores, images.likeness(found, query.vector), place)
