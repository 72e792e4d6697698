"""Lines of a file that someone else made, plain or compressed, read one at a time in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from gemel.core.errors import DataError

# Bytes. The longest entity of Wikidata takes a few MiB; what is longer has lost its line breaks.
LONGEST_LINE = 32 * 2**20
# Bytes of a broken line that are kept to show it.
SHOWN = 2_000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
COMPRESSED = (".gz", ".bz2")
# What may stand around the value of a JSON line; a line of these alone is blank.
WHITE_SPACE = " \t\r\n"


class SourceLine(NamedTuple):
    """A line of a file. number: counted from 1. text: with its line feed, where the file's last line has one.

    broken: why the line can't be used, or None; the text is then its beginning, to show it.
    """

    number: int
    text: str
    broken: str | None = None


def file_format(path: Path) -> str:
    """The ending that says how to read a file, in lower case, without that of a compression: "csv" of a.csv.gz."""
    plain = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return plain.suffix.lower().removeprefix(".")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read the lines with their numbers, counted from 1; each ends with a line feed, where the file's last one does.

    Raises: DataError, naming the file and the line, as all_lines does, and for the first broken line.
    """
    for line in all_lines(path):
        if line.broken is not None:
            raise DataError(f"{path} line {line.number}: {line.broken}")
        yield line.number, line.text


def all_lines(path: Path, *, wanted: str = "") -> Iterator[SourceLine]:
    """Read all lines; one that is longer than LONGEST_LINE, or isn't UTF-8, comes broken and the next ones follow.

    A byte-order mark is no part of a line, nor is the carriage return before a line feed.
    wanted: what to do about a missing file, for its error.
    Raises: DataError, naming the file, if it is missing, UTF-16, damaged or truncated.
    """
    number = 0
    try:
        with _opened(path) as file:
            while raw := file.readline(LONGEST_LINE + 1):
                number += 1
                if number == 1:
                    _refuse_utf16(path, raw)
                if len(raw) > LONGEST_LINE:
                    size = len(raw) + _skip_line(file, raw)
                    broken = f"longer than {LONGEST_LINE} bytes ({size}); check that the file has line breaks"
                    yield SourceLine(number, _beginning(raw), broken)
                else:
                    yield _decoded(number, raw)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file{wanted and f'; {wanted}'}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: can't be read beyond line {number} ({error}); is it complete?") from error


def _decoded(number: int, raw: bytes) -> SourceLine:
    line = raw.removeprefix(BYTE_ORDER_MARK)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte {line[error.start]:#04x} at place {error.start + 1}"
        advice = "convert it first, e.g. with `iconv -f latin1 -t utf-8`"
        return SourceLine(number, _beginning(line), f"not UTF-8 text ({found}); {advice}")
    return SourceLine(number, f"{text[:-2]}\n" if text.endswith("\r\n") else text)


def _refuse_utf16(path: Path, first: bytes) -> None:
    # Without a byte-order mark, every second byte of Latin text is zero; a file of zeros alone is damaged otherwise.
    if first[:2] in (b"\xff\xfe", b"\xfe\xff") or first[:2].count(0) == 1:
        raise DataError(f"{path}: not UTF-8 text but UTF-16; convert it first, e.g. with `iconv -f utf-16 -t utf-8`")


def _skip_line(file: IO[bytes] | gzip.GzipFile | bz2.BZ2File, last: bytes) -> int:
    """Read on to the end of a line, keeping nothing. Returns: the number of bytes skipped."""
    skipped = 0
    while last and not last.endswith(b"\n"):
        last = file.readline(2**20)
        skipped += len(last)
    return skipped


def _beginning(raw: bytes) -> str:
    shown = raw[:SHOWN].decode("utf-8", errors="backslashreplace")
    return shown if len(raw) <= SHOWN else f"{shown}…"


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile | bz2.BZ2File:
    match path.suffix.lower():
        case ".gz":
            return gzip.open(path, "rb")
        case ".bz2":
            return bz2.open(path, "rb")
    return path.open("rb")
