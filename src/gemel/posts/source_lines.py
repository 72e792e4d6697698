"""Lines of a file that someone else made, plain or compressed, read one at a time."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gemel.core.errors import DataError

# Bytes. The longest entity of Wikidata takes a few MiB; what is longer has lost its line breaks.
LONGEST_LINE = 32 * 2**20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
COMPRESSED = (".gz", ".bz2")


def file_format(path: Path) -> str:
    """The ending that says how to read a file, in lower case, without that of a compression: "csv" of a.csv.gz."""
    plain = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return plain.suffix.lower().removeprefix(".")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read the lines with their numbers, counted from 1; each ends with a line feed, where the file's last one does.

    Raises: DataError, naming the file and the line, if a line is longer than LONGEST_LINE or isn't UTF-8, or the file
    is missing, damaged or truncated.
    """
    for number, raw in _byte_lines(path):
        line = raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path} line {number}: not UTF-8 text (byte {line[error.start]:#04x} at place {error.start + 1}); "
                "convert the file first, e.g. with `iconv -f latin1 -t utf-8`"
            ) from None
        yield number, f"{text[:-2]}\n" if text.endswith("\r\n") else text


def _byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with _opened(path) as file:
            while raw := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(raw) > LONGEST_LINE:
                    raise DataError(
                        f"{path} line {number}: longer than {LONGEST_LINE} bytes; check that the file has line breaks"
                    )
                yield number, raw
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: can't be read beyond line {number} ({error}); is it complete?") from error


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile | bz2.BZ2File:
    match path.suffix.lower():
        case ".gz":
            return gzip.open(path, "rb")
        case ".bz2":
            return bz2.open(path, "rb")
    return path.open("rb")
