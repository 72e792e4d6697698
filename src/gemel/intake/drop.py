"""The drop folder: SOURCE/BATCH/ with posts.jsonl, perhaps entities.jsonl and images/."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.core.image_files import leaves_folder
from gemel.intake.candidates import UNREADABLE, Candidate, Finding, Found, Kind, Picture, picture_of
from gemel.intake.lines import SourcedLine, entity_row, post_row
from gemel.intake.settings import name_fault
from gemel.intake.wholeness import VOUCHER, Files, NotWholeError
from gemel.posts.dataset import ENTITIES, POSTS
from gemel.posts.rows import EntityLine, Rows, read_rows


@dataclass(frozen=True)
class DropFolder:
    """A batch. path: of its folder. fault: why it can't be one; None if it can."""

    source: str
    batch: str
    path: Path
    fault: str | None = None


def drop_folders(drop: Path) -> list[DropFolder]:
    """The batches in a drop folder, by source and name; none where the folder is absent. Hidden names are left out."""
    found = []
    for source in _visible(drop):
        if fault := _folder_fault(source) or name_fault(source.name):
            found.append(DropFolder(source.name, "", source, fault))
            continue
        found += [DropFolder(source.name, path.name, path, _folder_fault(path)) for path in _visible(source)]
    return found


def read_batch(folder: DropFolder, files: Files) -> Found:
    """Read the rows of a whole batch.

    Raises: NotWholeError if an image that a post names is not there, unless a voucher says that all is.
    """
    entities = _read_entities(folder) if ENTITIES in files.facts else Found()
    rows = Rows(POSTS)
    pictures: dict[str, tuple[Picture | None, str | None]] = {}
    candidates, broken = [], []
    for number, line in read_rows(folder.path / POSTS, SourcedLine, rows):
        try:
            if line.image is not None and leaves_folder(line.image):
                raise ValueError(f"image: {line.image!r} leads out of the batch")
            row = post_row(line)
        except ValueError as error:
            broken.append(_broken(folder, number, line.model_dump_json(exclude={"source"}), str(error)))
            continue
        picture, fault = None, None
        if line.image is not None:
            _expect_image(line.image, files)
            if line.image not in pictures:
                pictures[line.image] = picture_of(folder.path / line.image)
            picture, fault = pictures[line.image]
        stated = "split" in line.model_fields_set
        candidates.append(Candidate("post", folder.source, folder.batch, number, row, picture, stated, fault))
    unread = (*broken, *_unread(folder, rows, "post"))
    return Found((*entities.candidates, *candidates), (*entities.broken, *unread))


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def _folder_fault(path: Path) -> str | None:
    if path.is_symlink():
        return f"{path}: a link; put the folder there itself"
    return None if path.is_dir() else f"{path}: not a folder; batches lie at SOURCE/BATCH/ in the drop folder"


def _expect_image(name: str, files: Files) -> None:
    if name not in files.facts and VOUCHER not in files.facts:
        raise NotWholeError(f"{name}: a post names it, but it is not there yet")


def _read_entities(folder: DropFolder) -> Found:
    rows = Rows(ENTITIES)
    lines = read_rows(folder.path / ENTITIES, EntityLine, rows)
    kept = [Candidate("entity", folder.source, folder.batch, number, entity_row(line)) for number, line in lines]
    return Found(tuple(kept), tuple(_unread(folder, rows, "entity")))


def _unread(folder: DropFolder, rows: Rows, kind: Kind) -> Iterator[Finding]:
    for each in rows.rejected.table().iter_rows(named=True):
        yield _broken(folder, each["line"], each["row"], each["reason"], kind)


def _broken(folder: DropFolder, line: int, text: str, why: str, kind: Kind = "post") -> Finding:
    row: dict[str, Any] = {UNREADABLE: text}
    return Finding(Candidate(kind, folder.source, folder.batch, line, row), "row", why)
