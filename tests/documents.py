"""The documents of the project as tests read them: README.md and docs/, their blocks of code, tables and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code. page: where it stands, from the repository's root."""

    page: str
    number: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}-{self.language}{self.number}"


@dataclass(frozen=True)
class Table:
    """A table and the heading it stands under. rows: cells as they are written, without the header's."""

    heading: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def name(page: Path) -> str:
    """A page's path from the repository's root."""
    return page.relative_to(ROOT).as_posix()


def blocks(language: str) -> list[Block]:
    """The blocks of one language in all documents."""
    return [
        Block(name(page), number, language, found["code"])
        for page in PAGES
        for number, found in enumerate(FENCED.finditer(page.read_text()))
        if found["language"] == language
    ]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text())


def in_code(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def sections(page: Path) -> Iterator[tuple[str, str]]:
    """Each heading of a page with the text up to the next one, without blocks of code."""
    parts = re.split(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    yield from zip(parts[1::2], parts[2::2], strict=True)


def tables(page: Path) -> list[Table]:
    """All tables of a page."""
    found = []
    for heading, text in sections(page):
        for lines in re.findall(r"(?:^\|.*\|$\n?)+", text, flags=re.MULTILINE):
            header, _, *rows = (tuple(cell.strip() for cell in line[1:-1].split("|")) for line in lines.splitlines())
            found.append(Table(heading, header, tuple(rows)))
    return found


def links(page: Path) -> list[str]:
    """Targets of a page's links and pictures that are no addresses, without their anchors."""
    return [target for target in re.findall(r"\]\(([^)#:\s]+)[)#]", prose(page)) if target]
