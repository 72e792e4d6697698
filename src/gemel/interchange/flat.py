"""The project's own flat lines: a link for each line, with its text and everything that is known of it.

post_id, mention, start and end (code points, null where unplaced says why), entity_id, name, score, probability
(null where nil says that the catalog lacks the entity),
runners_up, nil, text, image (the path, or null), image_read ("read", "none", "unreadable: …"), entity_type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Iterator
from typing import Any

from gemel.interchange.rows import LinkedMention


def flat_rows(mentions: Iterable[LinkedMention], nil: Container[int] = ()) -> Iterator[dict[str, Any]]:
    """A line of each link, those without a place too. nil: rows whose answer is NIL."""
    for each in mentions:
        found = [dataclasses.asdict(candidate) for candidate in each.candidates]
        best, others = (dict.fromkeys(found[0]), found) if each.row in nil else (found[0], found[1:])
        yield {
            "post_id": each.post.post_id,
            "mention": each.mention,
            "start": each.place.start if each.place else None,
            "end": each.place.end if each.place else None,
            "unplaced": each.unplaced or None,
            **best,
            "runners_up": others,
            "nil": each.row in nil,
            "text": each.post.text,
            "image": each.post.image.as_posix() if each.post.image else None,
            "image_read": each.image,
            "entity_type": each.entity_type,
        }
