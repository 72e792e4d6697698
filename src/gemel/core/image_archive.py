"""Images that stay where they are: an archive outside the data set, and the record of it that is versioned instead.

images.parquet in the data set's folder has a row for each image that its posts name: image, etag (or the time of its
last change), bytes, sha256, or the reason why it can't be read. Where the archive lies is a setting of whoever runs
the pipeline and never stated by the data, so that a data set from elsewhere can't choose what is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gemel.core.drafts import whole_file
from gemel.core.errors import ConfigError, DataError, ImageError, ImageNotFoundError
from gemel.core.image_files import ImageFiles, ImageFolder
from gemel.core.image_root import MISSING, ImageRoot

RECORD = "images.parquet"
RECORD_SCHEMA = {
    "image": pl.String,  # unique, sorted
    "etag": pl.String,  # null where the archive states neither an etag nor a time
    "bytes": pl.Int64,
    "sha256": pl.String,  # null where the image can't be read
    "reason": pl.String,  # why it can't be read
}


@dataclass(frozen=True, eq=False)
class ImageArchive:
    """Images in an archive, as its record says they are.

    folder: of the data set that the record belongs to, for errors. record: rows as in RECORD_SCHEMA.
    """

    root: ImageRoot
    record: pl.DataFrame
    folder: Path

    def where(self, name: str) -> str:
        """The file's path or URL."""
        return self.root.where(name)

    def read(self, name: str) -> bytes:
        """As ImageFiles, and ImageError too if the bytes are others than the recorded ones.

        Raises: DataError if the record lacks the name, or what was readable before is refused now (lost access, an
        archive that can't be reached): these say nothing of the image.
        """
        where, mend = self.where(name), f"run `{import_command(self.folder)}`"
        place = self.record["image"].search_sorted(name)
        row = self.record.row(place, named=True) if place < self.record.height else None
        if row is None or row["image"] != name:
            raise DataError(f"{self.folder / RECORD}: {name!r} is not in it, though a post names it; {mend}")
        if row["sha256"] is None:
            raise (ImageNotFoundError if row["reason"] == MISSING else ImageError)(f"{where}: {row['reason']}")
        try:
            content = self.root.read(name, row["bytes"])
        except ImageNotFoundError:
            raise
        except ImageError as error:
            raise DataError(f"{error}; it could be read before: check the access to the archive, or {mend}") from error
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            raise ImageError(f"{where}: its SHA-256 is not that of {self.folder / RECORD}, so it was changed; {mend}")
        return content


def open_images(folder: Path, root: str | None) -> ImageFiles:
    """The images of a data set: in its own folder, or where a root is given in that archive.

    Raises: ConfigError if the record says that they lie in an archive but no root is given, or the root can't be used;
    DataError if the record is missing or damaged, or the archive isn't there.
    """
    path = folder / RECORD
    if root is None:
        if path.exists():
            raise ConfigError(
                f"{path}: the images lie in an archive, but images.root is null; say where with `-S images.root=…`, or "
                f"remove the file if they lie in {folder}"
            )
        return ImageFolder(folder)
    archive = ImageArchive(ImageRoot(root), read_record(path), folder)
    readable = archive.record.filter(pl.col("sha256").is_not_null())["image"]
    # Where only files may be looked up, not folders, one of them speaks for the root.
    if len(readable) and not archive.root.exists() and not archive.root.exists(readable[0]):
        raise DataError(f"{root}: no such archive, though {path} was made from one; check images.root and the mount")
    return archive


def read_record(path: Path) -> pl.DataFrame:
    """Read the record of an archive.

    Raises: DataError if it is missing, damaged, or has other columns.
    """
    command = import_command(path.parent)
    try:
        record = pl.read_parquet(path)
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; write it with `{command}`, or set images.root to null if the images lie in "
            f"{path.parent}"
        ) from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: not a readable parquet file ({error}); remove it and run `{command}`") from error
    if dict(record.schema) != RECORD_SCHEMA or not record["image"].is_sorted() or record["image"].has_nulls():
        raise DataError(f"{path}: not a record of images as {command.split(' --')[0]} writes it; run `{command}` again")
    return record


def write_record(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    """Write a record whole or not at all; equal rows give equal bytes. rows: as in RECORD_SCHEMA, in any order."""
    record = pl.DataFrame(list(rows), schema=RECORD_SCHEMA, orient="row").sort("image")
    with whole_file(path) as draft:
        record.write_parquet(draft, compression="zstd")


def import_command(folder: Path) -> str:
    """What to run to write the record of a data set's images."""
    return f"gemel import images --into {folder}"
