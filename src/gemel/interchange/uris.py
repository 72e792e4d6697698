"""URIs of entities and posts."""

from __future__ import annotations

import re
from urllib.parse import quote

from gemel.core.errors import RequestError

WIKIDATA = "http://www.wikidata.org/entity/"
DEFAULT_BASE = "urn:gemel:"
_QID = re.compile(r"Q[1-9][0-9]*")
# As the import of titles names them: enwiki:Jaguar Cars.
_TITLE = re.compile(r"([a-z]{2,3})wiki:(.+)")
_BASE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`#]*")


def check_base(base: str) -> None:
    """Refuse what no URI can start with.

    Raises: RequestError.
    """
    if not _BASE.fullmatch(base):
        raise RequestError(f"--base {base!r}: not the beginning of a URI; give one like https://example.org/kb/")


def entity_uri(entity_id: str, base: str) -> str:
    """Wikidata's URI of a QID, Wikipedia's of an id like enwiki:TITLE, else the base, "entity/" and the quoted id."""
    if _QID.fullmatch(entity_id):
        return WIKIDATA + entity_id
    if title := wikipedia_title(entity_id):
        language, name = title
        return f"https://{language}.wikipedia.org/wiki/{quote(name.replace(' ', '_'), safe='/:(),')}"
    return f"{base}entity/{quote(entity_id, safe='')}"


def wikipedia_title(entity_id: str) -> tuple[str, str] | None:
    """Language and title of an id like enwiki:TITLE; None of any other."""
    found = _TITLE.fullmatch(entity_id)
    return (found[1], found[2]) if found else None


def post_uri(post_id: str, base: str) -> str:
    """The base, "post/" and the quoted id."""
    return f"{base}post/{quote(post_id, safe='')}"
