"""Wikidata's JSON dump as a knowledge base: one entity a line between "[" and "]", read one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.core.errors import DataError
from gemel.posts.entity_sources import Broken, Filtered, Found, Item, parse_object
from gemel.posts.source_lines import text_lines

INSTANCE_OF, SUBCLASS_OF = "P31", "P279"
# Birth, inception, publication, start, point in time: the first that there is tells equal names apart.
YEAR_PROPERTIES = ("P569", "P571", "P577", "P580", "P585")
YEAR = re.compile(r"([+-]\d+)-")
# Precisions of Wikidata's dates below this one are decades, centuries and so on.
PRECISION_YEAR = 9
# Names that hold in all languages; many entities have no others.
ANY_LANGUAGE = "mul"


@dataclass(frozen=True)
class Wanted:
    """What to take from a dump.

    types: ids of classes, one of which an entity must state as what it is an instance of (P31; subclasses are not
    followed); none for all. min_sitelinks: least number of pages about it. language: of names and descriptions.
    """

    types: Sequence[str] = ()
    min_sitelinks: int = 0
    language: str = "en"


def read_dump(path: Path, wanted: Wanted, classes: Path) -> Iterator[Item]:
    """Read the items of a dump; a row's `type` is the id of its class.

    Their popularity is the number of their sitelinks, their title that of the Wikipedia in the wanted language.
    classes: file to write, id<TAB>label of each class that the dump holds, wanted or not.
    Raises: DataError if the file can't be read, or isn't an array with one entity a line that ends with "]".
    """
    last = ""
    with classes.open("w", encoding="utf-8", newline="\n") as file:
        for number, line in text_lines(path):
            text = line.strip()
            if number == 1 and text != "[":
                raise DataError(f'{path} line 1: expected "[", then one entity a line, as in Wikidata\'s JSON dumps')
            if text and last == "]":
                raise DataError(f'{path} line {number}: found {text[:80]!r} after the closing "]"')
            last = text or last
            if text in ("", "[", "]"):
                continue
            item = parse_object(number, text.removesuffix(","))
            if isinstance(item, Broken):
                yield item
                continue
            class_label = _name(item.row, wanted.language) if _claims(item.row, SUBCLASS_OF) else None
            if class_label is not None:
                file.write(f"{item.row.get('id')}\t{' '.join(class_label.split())}\n")
            yield _item(item, wanted)
    if last != "]":
        raise DataError(f'{path}: ends without the closing "]"; is it complete?')


def _item(found: Found, wanted: Wanted) -> Item:
    entity, language = found.row, wanted.language
    types = [at for claim in _claims(entity, INSTANCE_OF) if isinstance(at := _value(claim, "id"), str)]
    sitelinks = at if isinstance(at := entity.get("sitelinks"), dict) else {}
    title = _at(sitelinks, f"{language.replace('-', '_')}wiki", "title")
    if entity.get("type") != "item":
        return Filtered("no item (a property, lexeme, …)")
    if wanted.types and not set(types) & set(wanted.types):
        return Filtered("of another type")
    if len(sitelinks) < wanted.min_sitelinks:
        return Filtered(f"fewer than {wanted.min_sitelinks} sitelinks")
    label = _name(entity, language) or title
    if not label:
        return Filtered(f"no name in {language!r}")
    row = {
        "id": entity.get("id"),
        "label": label,
        "description": _at(entity, "descriptions", language, "value"),
        "type": types[0] if types else None,
        "aliases": _aliases(entity, language),
        "popularity": len(sitelinks),
        "title": title,
        "year": _year(entity),
    }
    return Found(found.line, found.text, row)


def _at(value: Any, *keys: str) -> Any:
    """What lies under the keys, or None. Wikidata writes an empty map as an empty list."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list(value: Any, *keys: str) -> list[Any]:
    found = _at(value, *keys)
    return found if isinstance(found, list) else []


def _name(entity: Mapping[str, Any], language: str) -> str | None:
    for key in (language, ANY_LANGUAGE):
        label = _at(entity, "labels", key, "value")
        if isinstance(label, str) and label.strip():
            return label
    return None


def _aliases(entity: Mapping[str, Any], language: str) -> list[Any]:
    given = [alias for key in (language, ANY_LANGUAGE) for alias in _list(entity, "aliases", key)]
    return list(dict.fromkeys(value for alias in given if isinstance(value := _at(alias, "value"), str)))


def _claims(entity: Mapping[str, Any], key: str) -> list[Any]:
    """The statements of a property that are not deprecated, the preferred ones first."""
    claims = [claim for claim in _list(entity, "claims", key) if _at(claim, "rank") != "deprecated"]
    return sorted(claims, key=lambda claim: _at(claim, "rank") != "preferred")


def _value(claim: Any, key: str) -> Any:
    return _at(claim, "mainsnak", "datavalue", "value", key)


def _year(entity: Mapping[str, Any]) -> int | None:
    for claim in (claim for key in YEAR_PROPERTIES for claim in _claims(entity, key)):
        match, precision = YEAR.match(str(_value(claim, "time"))), _value(claim, "precision")
        if match and isinstance(precision, int) and precision >= PRECISION_YEAR:
            return int(match[1]) or None
    return None
