"""Posts to link, made of a folder of images that carry their captions."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemel.core.drafts import whole_file
from gemel.core.errors import DataError, ImageError
from gemel.core.images import read_bytes
from gemel.posts.captions import Caption, read_caption
from gemel.posts.data_folder import json_line, opened_lines

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
NO_CAPTION = "no caption"


@dataclass
class CaptionsReport:
    """What became of a folder's images: images = posts + without_caption + unreadable.

    sources: posts by where their text stood. without_mentions: posts of whose names none stands in the text.
    """

    images: int = 0
    posts: int = 0
    without_caption: int = 0
    unreadable: int = 0
    without_mentions: int = 0
    sources: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[str, int]:
        """All counts by what they count, in the order to show them."""
        texts = {f"text from {source}": count for source, count in sorted(self.sources.items())}
        counts = {"images": self.images, "posts": self.posts, **texts, "without mentions": self.without_mentions}
        return counts | {"without caption": self.without_caption, "unreadable": self.unreadable}


def import_captions(folder: Path, target: Path) -> CaptionsReport:
    """Write a line for each image in a folder, at any depth, that carries a caption; in the order of their names.

    A line is a post to link: id (the path in the folder), image (the path from the target), text and mentions: the
    people and keywords that the image names and whose words stand in the text. With a split, and an entity in each
    mention, it is a line of a data set.
    target: JSON lines; beside it, as rejected_path says, those images that gave no post, with the reason.
    Raises: DataError if there is no such folder, it holds no image, or the target can't be written.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of images")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise DataError(f"{folder}: no images in it; their files end in {', '.join(sorted(ENDINGS))}")
    report = CaptionsReport(images=len(paths))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            whole_file(rejected_path(target)) as rejected_draft,
            whole_file(target) as posts_draft,
            opened_lines(rejected_draft) as rejected,
            opened_lines(posts_draft) as posts,
        ):
            for path in paths:
                row = _row(path, folder, target, report)
                (rejected if "reason" in row else posts).write(json_line(row))
    except OSError as error:
        raise DataError(f"{target}: the import could not be written ({error})") from error
    return report


def rejected_path(target: Path) -> Path:
    """Where the images that gave no post are listed: posts.rejected.jsonl beside posts.jsonl."""
    return target.with_suffix(f".rejected{target.suffix}")


def _row(path: Path, folder: Path, target: Path, report: CaptionsReport) -> dict[str, Any]:
    """The post of an image, or its name with the reason why it gave none."""
    name = path.relative_to(folder).as_posix()
    try:
        name.encode()
        caption = read_caption(read_bytes(path), str(path))
    except UnicodeEncodeError:
        report.unreadable += 1
        return {"image": os.fsencode(name).decode(errors="backslashreplace"), "reason": "its name is not UTF-8"}
    except ImageError as error:
        report.unreadable += 1
        return {"image": name, "reason": str(error).removeprefix(f"{path}: ")}
    if caption.source is None:
        report.without_caption += 1
        return {"image": name, "reason": NO_CAPTION}
    mentions = list(_mentions(caption))
    report.posts += 1
    report.sources[caption.source] += 1
    report.without_mentions += not mentions
    image = Path(os.path.relpath(path, target.parent)).as_posix()
    return {"id": name, "image": image, "text": caption.text, "mentions": mentions}


def _mentions(caption: Caption) -> Iterator[dict[str, Any]]:
    """The names whose words stand in the text, as they are written there, each at its first place, in their order."""
    spans = set()
    for name in caption.names:
        found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", caption.text, re.IGNORECASE)
        if found:
            spans.add(found.span())
    for start, end in sorted(spans):
        yield {"mention": caption.text[start:end], "start": start, "end": end}
