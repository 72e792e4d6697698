"""Label Studio's tasks: one for each link, in the JSON that its import takes (https://labelstud.io/guide/task_format).

Offsets in Label Studio count code points, as ours do. Where the place of a mention is not certain, nothing is marked in
the text; the mention stands in the question all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gemel.core.schema import Candidate, Post
from gemel.interchange.rows import LinkedMention

MODEL_VERSION = "gemel"
# Where Label Studio serves the files of a folder of its own machine.
LOCAL_FILES = "/data/local-files/?d="
# One white pixel: the import wants an image in each task.
NO_IMAGE = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
# What each labeling configuration shows: the picture, the text with its mention, the question.
SHOWN = """  <Image name="image" value="$image" maxWidth="480px"/>
  <Labels name="mention" toName="text">
    <Label value="Mention" background="#ffb000"/>
  </Labels>
  <Text name="text" value="$text"/>
  <Header value="$question"/>
"""
LINKS_CONFIG = f"""<View>
{SHOWN}  <Choices name="entity" toName="text" choice="single" value="$candidates"/>
</View>
"""


def link_tasks(mentions: Iterable[LinkedMention], image_root: Path, image_url: str) -> Iterator[dict[str, Any]]:
    """Tasks for LINKS_CONFIG: the linker's entity is chosen beforehand, to be changed where it is wrong.

    image_root: the folder that paths of images are stated from. image_url: what goes before such a path.
    """
    for each in mentions:
        chosen = {"choices": [choice_text(each.best)]}
        found = {"id": "entity", "from_name": "entity", "to_name": "text", "type": "choices", "value": chosen}
        data = task_data(each, image_root, image_url) | {"question": f"Which entity is “{each.mention}”?"}
        yield {"data": data, "predictions": prediction(each, [found])}


def task_data(each: LinkedMention, image_root: Path, image_url: str) -> dict[str, Any]:
    """What a task shows, and what says which link it is of."""
    return {
        "post_id": each.post.post_id,
        "row": each.row,
        "text": each.post.text,
        "image": image_address(each.post, image_root, image_url) or NO_IMAGE,
        "image_read": each.image,
        "mention": each.mention,
        "entity_id": each.best.entity_id,
        "name": each.best.name,
        "candidates": [{"value": choice_text(candidate)} for candidate in each.candidates],
    }


def prediction(each: LinkedMention, more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The linker's own annotation: the mention marked where its place is certain, and more. score: the probability."""
    return [{"model_version": MODEL_VERSION, "score": each.best.probability, "result": [*_mark(each), *more]}]


def choice_text(candidate: Candidate) -> str:
    """How a candidate is offered: name and id."""
    return f"{candidate.name} ({candidate.entity_id})"


def image_address(post: Post, image_root: Path, image_url: str) -> str | None:
    """The image's URL: image_url, then its quoted path from image_root; None of a post without an image."""
    if post.image is None:
        return None
    inside = post.image.is_relative_to(image_root)
    return image_url + quote((post.image.relative_to(image_root) if inside else post.image).as_posix())


def _mark(each: LinkedMention) -> list[dict[str, Any]]:
    if each.place is None:
        return []
    value = {"start": each.place.start, "end": each.place.end, "text": each.mention, "labels": ["Mention"]}
    return [{"id": "mention", "from_name": "mention", "to_name": "text", "type": "labels", "value": value}]
