"""The record of the images that stay in an archive: written once, and later brought up to date."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

from gemel.core.errors import DataError, ImageError
from gemel.core.image_archive import RECORD, read_record, write_record
from gemel.core.image_root import MISSING, FileState, ImageRoot
from gemel.posts.dataset import POSTS, read_facts
from gemel.posts.rows import PostLine, Rows, read_rows

# Reading waits for the network; each thread holds one file of up to images.MAX_BYTES.
THREADS = 16
# Images after which the record is written, so that a run which was killed goes on from there.
CHUNK = 10_000


@dataclass(frozen=True)
class ImagesReport:
    """What became of the images that posts name: images = new + changed + unchanged + missing + unreadable.

    new: not recorded as readable before. changed: other bytes than recorded. no_longer_named: recorded before, named by
    no post any more, and left out now.
    """

    images: int
    new: int
    changed: int
    unchanged: int
    missing: int
    unreadable: int
    no_longer_named: int


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the record, in the order of its columns."""

    image: str
    etag: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    reason: str | None = None


def import_images(folder: Path, root: str, advance: Callable[[int, int], None] = lambda *_: None) -> ImagesReport:
    """Write the record of the images that a data set's posts name; equal posts and images give equal bytes.

    folder: the data set's. root: of the archive; see ImageRoot. An image is read again only if its etag or size is not
    the recorded one. advance: called with how many of how many images are done.
    Raises: DataError if the data set can't be read, or the archive can't be reached or gives nothing of what it gave
    before; what was recorded until then stays, and the next run goes on from there.
    """
    archive, path = ImageRoot(root), folder / RECORD
    read_facts(folder)
    posts = read_rows(folder / POSTS, PostLine, Rows(POSTS))
    names = sorted({post.image for _, post in posts if post.image is not None})
    former = {row[0]: _Row(*row) for row in read_record(path).iter_rows()} if path.exists() else {}
    rows = {name: former[name] for name in names if name in former}
    with ThreadPoolExecutor(THREADS) as threads:
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            found = list(threads.map(partial(_look, archive, former), chunk))
            _expect_access(root, found, former)
            rows |= {row.image: row for row in found}
            write_record(path, map(astuple, rows.values()))
            advance(start + len(chunk), len(names))
    counts = Counter(_fate(former.get(name), rows[name]) for name in names)
    fates = {fate: counts[fate] for fate in ("new", "changed", "unchanged", "missing", "unreadable")}
    return ImagesReport(len(names), **fates, no_longer_named=len(former.keys() - rows.keys()))


def _look(archive: ImageRoot, former: Mapping[str, _Row], name: str) -> _Row:
    """The row of an image: the former one where nothing tells that it changed."""
    known = former.get(name)
    try:
        state = archive.state(name)
        if known and known.sha256 and state.etag is not None and state == FileState(known.etag, known.bytes or 0):
            return known
        content = archive.read(name, state.bytes)
        if len(content) != state.bytes:
            raise ImageError(f"{archive.where(name)}: changed while it was read")
    except ImageError as error:
        return _Row(name, reason=str(error).removeprefix(f"{archive.where(name)}: "))
    return _Row(name, state.etag, state.bytes, hashlib.sha256(content).hexdigest())


def _expect_access(root: str, rows: Sequence[_Row], former: Mapping[str, _Row]) -> None:
    """Refuse to record a lost access as the loss of all images."""
    lost = [row for row in rows if row.image in former and former[row.image].sha256]
    if lost and not any(row.sha256 for row in rows):
        raise DataError(
            f"{root}: none of {len(lost)} images recorded as readable can be read now, e.g. {lost[0].image!r}: "
            f"{lost[0].reason}; check the root and the access to it, or remove {RECORD} if they are truly gone"
        )


def _fate(known: _Row | None, row: _Row) -> str:
    if row.sha256 is None:
        return "missing" if row.reason == MISSING else "unreadable"
    if known is None or known.sha256 is None:
        return "new"
    return "unchanged" if known.sha256 == row.sha256 else "changed"
