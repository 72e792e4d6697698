"""The place where an archive of images lies: a local folder, or whatever fsspec has a driver for."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any
from urllib.parse import unquote

from gemel.core.errors import ConfigError, DataError, GemelError, ImageError, ImageNotFoundError
from gemel.core.image_files import leaves_folder
from gemel.core.images import MAX_BYTES

MISSING = "no such file"
# A password after a user's name (not a port), or a query, which may be a signature.
SECRET = re.compile(r"://[^/@:]*:(?!\d*(?:/|$)).*@|://[^?]*\?")
ERRORS_OF_A_NAME = (errno.ENAMETOOLONG, errno.ELOOP)


@dataclass(frozen=True)
class FileState:
    """What tells whether a file has changed. etag: or the time of its last change; None where neither is known."""

    etag: str | None
    bytes: int


@dataclass(frozen=True)
class ImageRoot:
    """A local folder, or an fsspec URL like s3://bucket/photos, under which images lie; no name leads out of it.

    Raises: ConfigError if the URL holds a password or a query. Credentials come from fsspec's own configuration.
    """

    url: str

    def __post_init__(self) -> None:
        if SECRET.search(self.url):
            raise ConfigError(
                f"root of the images at {self.url.split('://')[0]}://…: it holds a password or a query, which would be "
                "recorded with the settings; leave it out, and give credentials by the environment or ~/.config/fsspec"
            )

    def where(self, name: str) -> str:
        """The file's path or URL."""
        return f"{self.url.rstrip('/')}/{name}"

    def state(self, name: str) -> FileState:
        """Look a file up, unread.

        Raises: ImageError if the name or a local link leads out of the root, there is no such file, it is not a regular
        one, too large, or this one can't be read; DataError if the archive can't be reached.
        """
        with self._errors(name):
            fs, path = self._open(name)
            info = fs.info(path)
            if info["type"] != "file":
                raise ImageError(f"{self.where(name)}: not a regular file")
            size = info["size"]
            if size is None:
                raise ImageError(f"{self.where(name)}: the server doesn't state its size, so it isn't read")
            if size > MAX_BYTES:
                raise ImageError(
                    f"{self.where(name)}: {size} bytes, more than the {MAX_BYTES} allowed; scale the image down"
                )
            return FileState(_etag(fs, path, info), int(size))

    def read(self, name: str, size: int) -> bytes:
        """Read the first `size` bytes of a file. Raises: as `state`."""
        with self._errors(name):
            fs, path = self._open(name)
            # Object stores answer a request for an empty range with an error.
            return bytes(fs.cat_file(path, start=0, end=size)[:size]) if size else b""

    def exists(self, name: str = "") -> bool:
        """Whether the root, or a file in it, is there."""
        with self._errors(name):
            fs, path = self._open(name)
            return bool(fs.exists(path))

    def _open(self, name: str) -> tuple[Any, str]:
        """The file system and the file's path in it. Opened at each use: fsspec keeps one for each process and root."""
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        # Web servers decode %2e%2e.
        if leaves_folder(unquote(name)) or PureWindowsPath(name).drive or "://" in name:
            raise ImageError(f"{self.where(name)}: outside the archive")
        try:
            fs, root = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"root of the images {self.url}: fsspec can't open it ({error}); for S3 run `pip install 'gemel[s3]'`"
            ) from error
        path = f"{root.rstrip('/')}/{name}"
        if isinstance(fs, LocalFileSystem):
            inside, real = os.path.realpath(root), os.path.realpath(path)
            if os.path.commonpath([inside, real]) != inside:
                raise ImageError(f"{self.where(name)}: a link leads out of the archive")
        return fs, path

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        where = self.where(name)
        try:
            yield
        except GemelError:
            raise
        except FileNotFoundError:
            raise ImageNotFoundError(f"{where}: {MISSING}") from None
        except (IsADirectoryError, NotADirectoryError, PermissionError, ValueError) as error:
            raise ImageError(f"{where}: can't be read ({error})") from error
        except Exception as error:
            # Drivers let the errors of their network libraries through, which have no base of their own.
            if isinstance(error, OSError) and error.errno in ERRORS_OF_A_NAME:
                raise ImageError(f"{where}: can't be read ({error})") from error
            raise DataError(
                f"{where}: the archive can't be reached ({type(error).__name__}: {error}); check the network and the "
                "credentials, then run the same command again"
            ) from error


def _etag(fs: Any, path: str, info: dict[str, Any]) -> str | None:
    stated = info.get("ETag") or info.get("etag") or info.get("Last-Modified")
    if stated:
        return str(stated).strip('"')
    try:
        return str(fs.modified(path).isoformat())
    except NotImplementedError:
        return None
