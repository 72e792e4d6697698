"""What a search leaves behind that tells whether its answer is right.

All of it comes with the answer: nothing is searched a second time. The probability mass outside the trie and agreement
with the answer of the text alone were tried, too, and tell no more (benchmarks/evidence.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.confidence.entity_images import Likeness

# Candidates that it is read from; a search for a judged answer wants as many.
CANDIDATES = 2
MOST_MARGIN = 10.0
EVIDENCE = (
    "score",  # of the best candidate
    "margin",  # by which it leads the second, at most MOST_MARGIN
    "likeness",  # of the post's image to the entity's, 0 where either is missing
    "unpictured",  # 1 if the entity has no image
    "second_likeness",
    "second_unpictured",
    "imageless",  # 1 if the post has no readable image
)


def evidence(scores: Sequence[float], likeness: Likeness | None) -> tuple[float, ...]:
    """The values of EVIDENCE for one answer.

    scores: of its candidates, best first, one at least. likeness: of the image to each candidate's, as
    EntityImages.likeness; None where the post has no readable image.
    """
    margin = min(scores[0] - scores[1], MOST_MARGIN) if len(scores) > 1 else MOST_MARGIN
    if likeness is None:
        return (scores[0], margin, 0.0, 0.0, 0.0, 0.0, 1.0)
    alike = np.full(CANDIDATES, np.nan)
    alike[: len(likeness)] = likeness[:CANDIDATES]
    pieces = np.stack([np.nan_to_num(alike), np.isnan(alike)], axis=1).ravel().tolist()
    return (scores[0], margin, *pieces, 0.0)
