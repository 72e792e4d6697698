"""The list of what must hold of the tables. Each entry becomes one expectation of Great Expectations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gemel.core.schema import SPLITS
from gemel.posts.image_check import IMAGE_STATUSES, USABLE

Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Check:
    """One expectation of one table. expectation: its class in great_expectations.expectations, with its arguments."""

    name: str
    table: str
    severity: Severity
    description: str
    expectation: str
    arguments: Mapping[str, Any]


def all_checks(*, min_image_share: float, min_in_kb_share: float) -> tuple[Check, ...]:
    """The checks of all three tables.

    min_image_share: least share of the named images that must be readable; min_in_kb_share: least share of the gold
    entities that must be in the catalog. Falling short of these is a warning.
    """
    return (
        *_identity("posts", "post_id"),
        _filled("text_filled", "posts", "text"),
        _one_of("post_split_known", "posts", "split", SPLITS),
        _one_of("image_status_known", "posts", "image_status", IMAGE_STATUSES),
        _share("images_read", "posts", "image_of_post", USABLE, min_image_share, "images that posts name can be read"),
        *_identity("mentions", "mention_id"),
        _filled("mention_filled", "mentions", "mention"),
        _one_of("mention_split_known", "mentions", "split", SPLITS),
        Check(
            "span_holds_mention",
            "mentions",
            "critical",
            "where a span is given, the text holds the mention there",
            "ExpectColumnPairValuesToBeEqual",
            {"column_A": "mention", "column_B": "covered", "ignore_row_if": "either_value_is_missing"},
        ),
        _one_of("post_exists", "mentions", "post_known", ("yes",), "the post of each mention exists"),
        _share(
            "entities_in_kb", "mentions", "entity_known", ("yes",), min_in_kb_share, "gold entities are in the catalog"
        ),
        Check(
            "no_leakage",
            "mentions",
            "warning",
            "no mention stands with the same text in two splits",
            "ExpectColumnValuesToBeBetween",
            {"column": "splits_with_it", "max_value": 1},
        ),
        *_identity("entities", "entity_id"),
        _unique("name_unique", "entities", "name"),
        _filled("name_filled", "entities", "name"),
        _not_null("name_present", "entities", "name"),
    )


def _identity(table: str, key: str) -> tuple[Check, ...]:
    return (
        Check(
            f"{table}_present",
            table,
            "critical",
            f"there are {table}",
            "ExpectTableRowCountToBeBetween",
            {"min_value": 1},
        ),
        _not_null(f"{key}_present", table, key),
        _unique(f"{key}_unique", table, key),
    )


def _not_null(name: str, table: str, column: str) -> Check:
    return Check(
        name, table, "critical", f"{column} is never null", "ExpectColumnValuesToNotBeNull", {"column": column}
    )


def _unique(name: str, table: str, column: str) -> Check:
    return Check(name, table, "critical", f"{column} is unique", "ExpectColumnValuesToBeUnique", {"column": column})


def _filled(name: str, table: str, column: str) -> Check:
    arguments = {"column": column, "regex": r"\S"}
    return Check(name, table, "critical", f"{column} isn't blank", "ExpectColumnValuesToMatchRegex", arguments)


def _one_of(name: str, table: str, column: str, values: Sequence[str], description: str = "") -> Check:
    said = description or f"{column} is one of {', '.join(values)}"
    arguments = {"column": column, "value_set": list(values)}
    return Check(name, table, "critical", said, "ExpectColumnValuesToBeInSet", arguments)


def _share(name: str, table: str, column: str, values: Sequence[str], least: float, description: str) -> Check:
    said = f"at least {least:.0%} of the {description}"
    arguments = {"column": column, "value_set": list(values), "mostly": least}
    return Check(name, table, "warning", said, "ExpectColumnValuesToBeInSet", arguments)
