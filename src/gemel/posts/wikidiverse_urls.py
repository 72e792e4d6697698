"""The URLs of WikiDiverse: which entity one names, and in which file an image lies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from gemel.posts.sources import inside_images

# Some URLs of the data set have a stray first letter or bracket ("nhttps://", "]https://"), some lack the first one.
WIKIPEDIA_PAGE = re.compile(
    r"(?P<scheme>[^/]*)//(?P<language>[a-z-]+)(?:\.m)?\.wikipedia\.org/+wiki/(?P<page>.+)", re.DOTALL
)
IMAGE_ENDING = re.compile(r"\.(?:jpe?g|JPE?G|png|PNG|svg|SVG)")
OTHER_ENDINGS = (".jpg", ".JPG", ".jpeg", ".JPEG", ".png", ".PNG", ".gif", ".GIF")
MD5_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Page:
    """A Wikipedia page as an entity. odd: whether its URL had to be mended, or is no page of Wikipedia."""

    entity_id: str
    title: str
    odd: bool


def page_of(url: str) -> Page | None:
    """The entity that a Wikipedia URL names, "enwiki:Title", or None if it has no title.

    The title is percent-decoded, as UTF-8 or else as Latin-1, has spaces and a capital first letter, and no section. A
    URL of another site is an id itself, its last part the title.
    """
    url = url.strip()
    match = WIKIPEDIA_PAGE.fullmatch(url)
    page = match["page"] if match else url.rstrip("/").rsplit("/", 1)[-1]
    odd = match is None or match["scheme"] not in ("https:", "http:")
    page = re.split(r"[?#]", page, maxsplit=1)[0].strip("[]")
    try:
        title = unquote(page, errors="strict")
    except UnicodeDecodeError:
        title, odd = unquote(page, encoding="latin-1"), True
    title = " ".join(title.replace("_", " ").split())
    if not title:
        return None
    title = title[0].upper() + title[1:]
    return Page(f"{match['language']}wiki:{title}" if match else url, title, odd)


def image_name(url: str) -> str | None:
    """The file of a post's image in the folder that the data set publishes; None without a URL.

    By the rule in the data set's README: the MD5 of the URL's last part as it stands, percent signs and all, and the
    ending of that part, `.png` for the SVG pictures, which were rendered. A part with none of the endings jpg, jpeg,
    png and svg follows whole.
    """
    last = url.strip().rsplit("/", 1)[-1]
    if not last:
        return None
    found = [match.start() for match in IMAGE_ENDING.finditer(last) if match.start() > 0]
    ending = last[found[-1] :] if found else last
    return hashlib.md5(last.encode(), usedforsecurity=False).hexdigest() + re.sub(r"\.(?:svg|SVG)", ".png", ending)


def image_files(name: str) -> Iterable[str]:
    """The name by the data set's rule, then the same MD5 with the usual endings, for images saved by other tools."""
    return (name, *(name[:MD5_LENGTH] + ending for ending in OTHER_ENDINGS))


def image_of(url: str | None, where: str) -> str | None:
    """As image_name. Raises: DataError, saying where, if the name leaves the folder of images."""
    name = None if url is None else image_name(url)
    return None if name is None else inside_images(name, where)
