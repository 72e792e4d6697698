"""The caption that an image file carries: XMP, IPTC and EXIF as press agencies and museums fill them in.

The text is the first of dc:description (XMP; x-default before other languages), Caption/Abstract (IPTC 2:120),
ImageDescription (EXIF) and the headline (IPTC 2:105). The names are those of the people shown (Iptc4xmpExt) and the
keywords (dc:subject, IPTC 2:25). No pixel is decoded, and the bounds are those of every image.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gemel.core.errors import ImageError
from gemel.core.images import opened_image

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

LONGEST_CAPTION = 10_000  # characters; IPTC allows 2,000 bytes
LONGEST_NAME = 200
MOST_METADATA = 4 * 2**20  # bytes of XMP, or of IPTC
RDF, DC = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}", "{http://purl.org/dc/elements/1.1/}"
PEOPLE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}PersonInImage"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
CHARSET, HEADLINE, CAPTION, KEYWORDS = (1, 90), (2, 105), (2, 120), (2, 25)
LATIN_1 = b"\x1b.A"
IPTC_IN_TIFF = 33723
IMAGE_DESCRIPTION = 0x010E


@dataclass(frozen=True)
class Caption:
    """What an image file says of itself. source: of the text: "XMP", "IPTC", "EXIF" or "headline"; None without one."""

    text: str
    source: str | None
    names: tuple[str, ...]


def read_caption(data: bytes, where: str) -> Caption:
    """Read the caption in an image's bytes; without any its text is empty.

    Control characters and line breaks become spaces.
    Raises: ImageError if it is no image that can be opened, its XMP or IPTC is too large, its XMP no well-formed XML
    or one with entities, or the caption longer than LONGEST_CAPTION.
    """
    with opened_image(data, where) as image:
        xmp, iptc = _xmp(image, where), _iptc(image, where)
        found: list[tuple[str, str]] = [
            ("XMP", _described(xmp)),
            ("IPTC", _joined(iptc.get(CAPTION, ()))),
            ("EXIF", _exif(image)),
            ("headline", _joined(iptc.get(HEADLINE, ()))),
        ]
        names = [*_items(xmp, PEOPLE), *_items(xmp, f"{DC}subject"), *iptc.get(KEYWORDS, ())]
    source, text = next(((source, text) for source, raw in found if (text := _clean(raw))), (None, ""))
    if len(text) > LONGEST_CAPTION:
        raise ImageError(f"{where}: a caption of {len(text)} characters, more than the {LONGEST_CAPTION} allowed")
    cleaned = (name for name in map(_clean, names) if 0 < len(name) <= LONGEST_NAME)
    return Caption(text, source, tuple(dict.fromkeys(cleaned)))


def _xmp(image: ImageFile, where: str) -> Any:
    """The root of the XMP tree, or None."""
    raw = image.info.get("xmp")
    if not isinstance(raw, bytes):
        return None
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    _expect_bounded(raw, "XMP", where)
    try:
        return fromstring(raw.rstrip(b"\0 \r\n\t"))
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise ImageError(f"{where}: its XMP can't be read ({type(error).__name__}: {error})") from None


def _described(xmp: Any) -> str:
    """The description in the default language, else in the first one."""
    for element in () if xmp is None else xmp.iter(f"{DC}description"):
        texts = {item.get(LANGUAGE, ""): item.text or "" for item in reversed(list(element.iter(f"{RDF}li")))}
        if texts:
            return str(texts.get("x-default") or list(texts.values())[-1])
        if element.text:
            return str(element.text)
    return ""


def _items(xmp: Any, tag: str) -> Iterator[str]:
    for element in () if xmp is None else xmp.iter(tag):
        yield from (item.text for item in element.iter(f"{RDF}li") if item.text)


def _iptc(image: ImageFile, where: str) -> dict[tuple[int, int], tuple[str, ...]]:
    """The text fields of the IPTC block: each of them may be there several times."""
    from PIL.IptcImagePlugin import getiptcinfo
    from PIL.TiffImagePlugin import TiffImageFile

    if isinstance(image, TiffImageFile):
        _expect_bounded(image.tag.tagdata.get(IPTC_IN_TIFF, b""), "IPTC", where)
    fields = {
        tag: [value for value in (values if isinstance(values, list) else [values]) if isinstance(value, bytes)]
        for tag, values in (getiptcinfo(image) or {}).items()
    }
    latin = LATIN_1 in fields.get(CHARSET, ())
    wanted = (HEADLINE, CAPTION, KEYWORDS)
    return {tag: tuple(_decoded(value, latin) for value in fields.get(tag, ())) for tag in wanted}


def _decoded(value: bytes, latin: bool = False) -> str:
    """Text of a field: UTF-8 where it is that, whether the file says so or not, else Latin-1."""
    try:
        return value.decode("latin-1" if latin else "utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _exif(image: ImageFile) -> str:
    # Pillow would decode a PNG's pixels to look for EXIF data behind them.
    if image.format == "PNG" and "exif" not in image.info:
        return ""
    value = image.getexif().get(IMAGE_DESCRIPTION)
    # Pillow decodes it as Latin-1.
    return _decoded(value.encode("latin-1", errors="replace")) if isinstance(value, str) else ""


def _joined(parts: tuple[str, ...]) -> str:
    return " ".join(parts)


def _clean(text: str) -> str:
    printable = (" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text)
    return " ".join("".join(printable).split())


def _expect_bounded(raw: bytes, kind: str, where: str) -> None:
    if len(raw) > MOST_METADATA:
        raise ImageError(f"{where}: {len(raw)} bytes of {kind}, more than the {MOST_METADATA} allowed; save it anew")
