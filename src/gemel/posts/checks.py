"""The list of what must hold of a data set. Each entry becomes one expectation of Great Expectations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from gemel.core.schema import SPLITS
from gemel.posts.frames import Usual
from gemel.posts.image_check import IMAGE_STATUSES, USABLE

Severity = Literal["critical", "warning"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
# The checks that a person can overrule by accepting the data as it is now.
DRIFT_CHECKS = ("no_drift", "rows_kept")


@dataclass(frozen=True)
class Limits:
    """How much may be wrong with a data set, all as shares.

    Critical: max_rejected_share of the rows of each file; max_drift, the Jensen-Shannon distance of any feature from
    the accepted version; max_lost_share of the accepted version's rows.
    Warnings: of the images that posts name, min_image_share must be readable; of the gold entities, min_in_kb_share in
    the catalog; of the mentions, min_in_text_share in their text; of the texts, min_usual_length_share of a usual
    length, and min_language_share in one language; of the posts, max_imputed_share may lack a readable image; of the
    mentions, max_nil_share may have no gold entity.
    """

    max_rejected_share: Share = 0.01
    max_drift: Share = 0.1
    max_lost_share: Share = 0.2
    min_image_share: Share = 0.9
    min_in_kb_share: Share = 0.9
    min_in_text_share: Share = 0.9
    min_usual_length_share: Share = 0.99
    min_language_share: Share = 0.9
    max_imputed_share: Share = 0.2
    max_nil_share: Share = 0.2


@dataclass(frozen=True)
class Check:
    """One expectation of one table. expectation: its class in great_expectations.expectations, with its arguments."""

    name: str
    table: str
    severity: Severity
    description: str
    expectation: str
    arguments: Mapping[str, Any]


def all_checks(limits: Limits, usual: Usual, *, with_drift: bool) -> tuple[Check, ...]:
    """The checks of all frames. with_drift: whether there is an accepted version to compare with."""
    return (
        *_whole_checks(limits),
        *_post_checks(limits, usual),
        *_mention_checks(limits),
        *_identity("entities", "entity_id"),
        _unique("name_unique", "entities", "name"),
        _filled("name_filled", "entities", "name"),
        _not_null("name_present", "entities", "name"),
        *(_drift_checks(limits) if with_drift else ()),
    )


def _whole_checks(limits: Limits) -> tuple[Check, ...]:
    rejected = f"at most {limits.max_rejected_share:.2%} of each file's rows are rejected (posts.max_rejected_share)"
    return (
        _equal("schema", "columns", "expected", "found", "each table that was written has its columns and types"),
        _equal("rows_add_up", "sources", "rows_in", "rows_out_and_rejected", "rows in = rows out + rows rejected"),
        _between("few_rejected", "sources", "critical", rejected, "rejected_share", most=limits.max_rejected_share),
        _between(
            "splits_complete",
            "splits",
            "critical",
            "train, dev and test each have a mention whose entity is in the catalog",
            "gradable_mentions",
            least=1,
        ),
    )


def _post_checks(limits: Limits, usual: Usual) -> tuple[Check, ...]:
    lengths = f"are {usual.shortest} to {usual.longest} characters long: a tenth to ten times their median"
    repeated = f"no picture stands in more than {usual.most_uses} posts, as a placeholder would"
    return (
        *_identity("posts", "post_id"),
        _filled("text_filled", "posts", "text"),
        _one_of("post_split_known", "posts", "split", SPLITS),
        _one_of("image_status_known", "posts", "image_status", IMAGE_STATUSES),
        _share("images_read", "posts", "image_of_post", USABLE, limits.min_image_share, "named images are read"),
        _share("imputed_images", "posts", "image_status", USABLE, 1 - limits.max_imputed_share, "posts have an image"),
        _between("image_not_repeated", "posts", "warning", repeated, "posts_with_image", most=usual.most_uses),
        _between(
            "text_length_usual",
            "posts",
            "warning",
            f"at least {limits.min_usual_length_share:.0%} of the texts {lengths}",
            "text_length",
            least=usual.shortest,
            most=usual.longest,
            mostly=limits.min_usual_length_share,
        ),
        _share(
            "language_usual",
            "posts",
            "language",
            (usual.language,),
            limits.min_language_share,
            f"sampled posts that show their language share it: {usual.language or 'none does'}",
        ),
    )


def _mention_checks(limits: Limits) -> tuple[Check, ...]:
    span = "where a span is given, the text holds the mention there"
    flag = "in_kb says whether the catalog has the gold entity"
    one_gold = "a mention with the same text and the same image has one gold entity"
    leaked = "no mention stands with the same text and the same image in two splits"
    shared = "the text of no {} mention stands in another split too"
    return (
        *_identity("mentions", "mention_id"),
        _filled("mention_filled", "mentions", "mention"),
        _one_of("mention_split_known", "mentions", "split", SPLITS),
        _equal("span_holds_mention", "mentions", "mention", "covered", span),
        _share(
            "mention_in_text", "mentions", "in_text", ("yes",), limits.min_in_text_share, "mentions are in their text"
        ),
        _one_of("post_exists", "mentions", "post_known", ("yes",), "the post of each mention exists"),
        _equal("in_kb_true", "mentions", "in_kb", "in_catalog", flag),
        _share("entities_in_kb", "mentions", "in_kb", ("yes",), limits.min_in_kb_share, "gold ids are in the catalog"),
        _share("few_nil", "mentions", "has_gold", ("yes",), 1 - limits.max_nil_share, "mentions have a gold entity"),
        _between("one_gold", "mentions", "warning", one_gold, "golds_of_it", most=1),
        _between("no_leakage", "mentions", "warning", leaked, "splits_with_it", most=1),
        _between("dev_text_unseen", "mentions", "warning", shared.format("dev"), "splits_with_dev_text", most=1),
        _between("test_text_unseen", "mentions", "warning", shared.format("test"), "splits_with_test_text", most=1),
    )


def _drift_checks(limits: Limits) -> tuple[Check, ...]:
    drift = f"no distribution is further than {limits.max_drift} from the accepted version's (posts.max_drift)"
    lost = f"at most {limits.max_lost_share:.0%} of the accepted version's rows are gone (posts.max_lost_share)"
    return (
        _between("no_drift", "features", "critical", drift, "distance", most=limits.max_drift),
        _between("rows_kept", "features", "critical", lost, "lost", most=limits.max_lost_share),
    )


def _identity(table: str, key: str) -> tuple[Check, ...]:
    rows = {"min_value": 1}
    return (
        Check(f"{table}_present", table, "critical", f"there are {table}", "ExpectTableRowCountToBeBetween", rows),
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


def _equal(name: str, table: str, one: str, other: str, description: str) -> Check:
    arguments = {"column_A": one, "column_B": other, "ignore_row_if": "either_value_is_missing"}
    return Check(name, table, "critical", description, "ExpectColumnPairValuesToBeEqual", arguments)


def _between(
    name: str,
    table: str,
    severity: Severity,
    description: str,
    column: str,
    *,
    least: float | None = None,
    most: float | None = None,
    mostly: float = 1.0,
) -> Check:
    arguments = {"column": column, "min_value": least, "max_value": most, "mostly": mostly}
    return Check(name, table, severity, description, "ExpectColumnValuesToBeBetween", arguments)


def _share(name: str, table: str, column: str, values: Sequence[str], least: float, description: str) -> Check:
    said = f"at least {least:.0%} of the {description}"
    arguments = {"column": column, "value_set": list(values), "mostly": least}
    return Check(name, table, "warning", said, "ExpectColumnValuesToBeInSet", arguments)
