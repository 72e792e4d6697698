"""The project's own flat lines: a link for each line, with its text and everything that is known of it.

post_id, mention, start and end (code points, null where unplaced says why), entity_id, name, score, probability,
runners_up, text, image (the path, or null), image_read ("read", "none", "unreadable: …"), entity_type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from gemel.interchange.rows import LinkedMention


def flat_rows(mentions: Iterable[LinkedMention]) -> Iterator[dict[str, Any]]:
    """A line of each link, those without a place too."""
    for each in mentions:
        best, *others = (dataclasses.asdict(candidate) for candidate in each.candidates)
        yield {
            "post_id": each.post.post_id,
            "mention": each.mention,
            "start": each.place.start if each.place else None,
            "end": each.place.end if each.place else None,
            "unplaced": each.unplaced or None,
            **best,
            "runners_up": others,
            "text": each.post.text,
            "image": each.post.image.as_posix() if each.post.image else None,
            "image_read": each.image,
            "entity_type": each.entity_type,
        }
