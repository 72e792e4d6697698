"""What people say that a mention stands for: kept for training, and shown as demonstrations where that is allowed.

feedback.jsonl         all that was said, in the order of its coming, with the facts that a training wants
demonstrations.jsonl   the last word on each mention, where it is an entity, as `gemel demonstrations add` takes it
images/                their images, named by SHA-256

The second file follows from the first. An id follows from the content, as that of a correction by the command does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bento.feedback_lines import Words
from bento.logs import LOGGER
from gemel.bundle import Bundle
from gemel.changes.corrected import corrected_corpus
from gemel.changes.corrections import DEMONSTRATIONS, IMAGES, Correction, correction_row, validated
from gemel.core.drafts import whole_file
from gemel.core.errors import GemelError, ImageError
from gemel.core.images import decode_image, opened_image, read_bytes
from gemel.core.schema import Mention
from gemel.entities.catalog import Catalog
from gemel.features.tower import Vectors
from gemel.feedback_lines import FEEDBACK, FeedbackLine
from gemel.line_file import LineFile, append_at, write_through
from gemel.posts.data_folder import json_line
from gemel.wire import FeedbackRequest

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(LOGGER)
LOCK = ".lock"
# Seconds. An append takes milliseconds.
PATIENCE = 20.0
Encode = Callable[[Sequence["Image"]], Sequence[Vectors]]


class FeedbackFull(GemelError):  # noqa: N818 (what is full is the store)
    """There is no room for more feedback."""


@dataclass(frozen=True)
class Kept:
    """id: of a correction. known: whether it was kept before."""

    id: str
    known: bool


class FeedbackStore:
    """Feedback in a folder that any number of threads and processes share."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """max_bytes: of all files together."""
        self.folder, self._most = folder, max_bytes
        self._file, self._words = LineFile(folder / FEEDBACK), Words()
        self._vectors: dict[str, Vectors] = {}
        if self._file.path.is_file():
            with self._locked():
                # Whoever was killed may have written the one file and not the other.
                self._publish()

    def keep(self, request: FeedbackRequest, image: bytes | None, release: str, request_id: str) -> Kept:
        """Keep a correction; it is on the disk then. One whose like is the last word on its mention changes nothing.

        image: a file's bytes, in place of what the request says. release: that is in use.
        Raises: RequestError if the mention is not in the text or at its offsets, or a string is empty; ImageError if
        the image is none; FeedbackFull if there is no room; GemelError if another process keeps the folder locked.
        """
        name = None if image is None else f"{IMAGES}/{hashlib.sha256(image).hexdigest()}.{_format(image)}"
        mention = Mention(request.mention, request.start, request.end, request.entity_id)
        facts = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "release": release,
            "answered": request.answered,
            "comment": request.comment,
            "request_id": request_id,
            "image_bytes": len(image or b""),
        }
        row = correction_row(request.text, mention, name, "the feedback") | facts
        line = validated(FeedbackLine, row, "the feedback")
        try:
            with self._locked():
                return self._kept(line, json_line(row).encode("utf-8", "replace"), image)
        except OSError as error:
            raise FeedbackFull(
                f"the feedback can't be written ({error.strerror}); its operator has to see why"
            ) from error

    def acting(self, catalog: Catalog) -> tuple[Correction, ...]:
        """The last word on each mention, where it is an entity of a catalog, the oldest first."""
        with self._locked():
            places = self._words.solved()
            lines = list(self._file.read(places)) if places else []
        found = (Correction.model_validate_json(line) for line in lines)
        return tuple(each for each in found if each.mention.entity in catalog)

    def vectors(self, shown: Sequence[Correction], encode: Encode) -> dict[str, Vectors]:
        """Vectors of the corrections' images, by SHA-256; those that can't be read are told, and have none.

        encode: called once for each image that this store was never asked about.
        """
        for each in shown:
            if each.image is not None and each.image_sha256 is not None and each.image_sha256 not in self._vectors:
                with self._telling(each.image):
                    # One by one: on an accelerator a vector's last digits may depend on the size of its batch.
                    (self._vectors[each.image_sha256],) = encode([self._picture(each.image, each.image_sha256)])
        wanted = {each.image_sha256 for each in shown}
        return {sha256: vector for sha256, vector in self._vectors.items() if sha256 in wanted}

    def _kept(self, line: FeedbackLine, content: bytes, image: bytes | None) -> Kept:
        kept, last, size = Kept(line.id, line.id in self._words.ids), self._words.last(line), self._words.solved_bytes
        if last is not None and last.id == line.id:
            return kept
        self._check_room(line, content)
        if image is not None and line.image is not None and not (self.folder / line.image).is_file():
            (self.folder / IMAGES).mkdir(exist_ok=True)
            with whole_file(self.folder / line.image) as draft:
                write_through(draft, image)
        self._file.append(content)
        self._read_on()
        demonstrations = self.folder / DEMONSTRATIONS
        if (last is not None and last.solved) or _size(demonstrations) != size:
            self._publish()
        elif line.mention.entity is not None:
            append_at(demonstrations, size, content)
        return kept

    def _check_room(self, line: FeedbackLine, content: bytes) -> None:
        words = self._words
        used = self._file.end + words.solved_bytes + words.image_bytes
        new = len(content) * (1 if line.mention.entity is None else 2)
        new += 0 if line.image_sha256 in words.images else line.image_bytes
        if used + new > self._most:
            raise FeedbackFull(
                f"there is no room for more feedback: {used} of {self._most} bytes are in use and this takes {new}; "
                "the operator takes it into a training and moves the folder away, or raises max_feedback"
            )

    def _publish(self) -> None:
        """Write demonstrations.jsonl anew."""
        places = self._words.solved()
        with whole_file(self.folder / DEMONSTRATIONS) as draft:
            write_through(draft, b"".join(self._file.read(places)) if places else b"")

    def _read_on(self) -> None:
        if self._file.is_another():
            self._file.forget()
            self._words = Words()
        torn = self._file.torn
        for place, content in self._file.read_on():
            with self._telling(f"{FEEDBACK}, byte {place.start}"):
                self._words.take(FeedbackLine.model_validate_json(content), place)
        if self._file.torn not in (0, torn):
            facts = {"where": f"{FEEDBACK}, byte {self._file.end}", "bytes": self._file.torn}
            log.warning("feedback whose writing was cut off is left out", extra={"facts": facts})

    def _picture(self, name: str, sha256: str) -> Image:
        data = read_bytes(self.folder / name)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ImageError(f"{name}: its SHA-256 is not its name; it was changed")
        return decode_image(data, name)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the folder, and knowing all that is in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / LOCK, timeout=PATIENCE):
                self._read_on()
                yield
        except Timeout:
            raise GemelError(
                f"the feedback has been locked by another process for {PATIENCE:.0f} s; try again later"
            ) from None

    @contextlib.contextmanager
    def _telling(self, where: str) -> Iterator[None]:
        """Leave out what can't be used, and say so in the log: it must not keep the rest from acting."""
        try:
            yield
        except (ValidationError, ImageError) as error:
            why = str(error) if isinstance(error, ImageError) else f"no such line ({error.error_count()} errors)"
            log.warning("feedback that can't be used is left out", extra={"facts": {"where": where, "why": why}})


def amended(bundle: Bundle, store: FeedbackStore, encode: Encode) -> Bundle:
    """A bundle whose demonstrations begin with the feedback that may act now. encode: as Linker.encode."""
    acting = store.acting(bundle.catalog)
    new = [each for each in acting if each.image_sha256 not in bundle.vectors]
    vectors = {**bundle.vectors, **store.vectors(new, encode)}
    shown = [each for each in acting if each.image_sha256 is None or each.image_sha256 in vectors]
    corpus = corrected_corpus(bundle.demonstrations, shown, bundle.catalog)
    return dataclasses.replace(bundle, demonstrations=corpus.table, vectors=vectors)


def _format(image: bytes) -> str:
    """What ends the name of an image's file. Raises: ImageError if it is none."""
    with opened_image(image, "image") as opened:
        return str(opened.format).lower()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
