"""The profile of a data set: counts and distributions, small enough to be committed and to be read in a diff.

A later version of the data set is compared with it; see drift.py. Its size and its cost do not grow with the rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from gemel.core.drafts import whole_file
from gemel.core.errors import DataError
from gemel.posts.tables import Tables

FORMAT = 1
PROFILE = "profile.json"
# Values that a feature lists; the rest of them share OTHER.
MOST_VALUES = 20
OTHER, NONE = "(other)", "(none)"
DIGITS = 4
# Bins are fixed, not quantiles: two versions of the data must have the same ones.
TEXT_CHARACTERS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096)
MENTION_CHARACTERS = (4, 6, 8, 10, 12, 16, 24, 32, 48)
MENTIONS = (1, 2, 3, 4, 6, 11, 21)

Shares = dict[str, float]


@dataclass(frozen=True)
class Profile:
    """What a version of a data set is like.

    dataset: its folder in data/. counts: rows by table. shares: by feature, the share of each value or bin, rounded
    to DIGITS; values beyond the MOST_VALUES most frequent ones are OTHER.
    """

    dataset: str
    counts: dict[str, int]
    shares: dict[str, Shares]

    @property
    def sha256(self) -> str:
        """SHA-256 of the profile, as hex digits."""
        return hashlib.sha256(json.dumps(asdict(self), ensure_ascii=False).encode()).hexdigest()

    def write(self, path: Path, **more: Any) -> None:
        """Write it as JSON, whole or not at all. more: keys that follow the profile's own."""
        content = json.dumps({"format": FORMAT, **asdict(self), **more}, indent=1, ensure_ascii=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as draft:
            draft.write_text(content + "\n", encoding="utf-8")


def read_profile(path: Path) -> tuple[Profile, dict[str, Any]]:
    """Read a profile, and the further keys that its file has.

    Raises: DataError if the file is missing, damaged or of another format.
    """
    advice = "restore it from git, or run `dvc repro posts` and `gemel accept`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise DataError(f"{path}: expected a profile of format {FORMAT}; {advice}")
        own = {key: content.pop(key, None) for key in Profile.__dataclass_fields__}
        return TypeAdapter(Profile).validate_python(own), content
    except FileNotFoundError:
        raise DataError(f"{path}: no such profile; {advice}") from None
    except ValidationError as error:
        issue = error.errors()[0]
        raise DataError(f"{path}: {'.'.join(map(str, issue['loc']))}: {issue['msg']}; {advice}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); {advice}") from error


def build_profile(dataset: str, tables: Tables, languages: pl.DataFrame) -> Profile:
    """Count what a version is like. languages: of a sample of the posts, as sample_languages gives them."""
    posts, mentions = tables.posts, tables.mentions
    of_posts = mentions.group_by("post_id").len("mentions")
    per_post = posts.select("post_id").join(of_posts, on="post_id", how="left")["mentions"].fill_null(0)
    golds = mentions.filter(pl.col("entity_id").is_not_null()).group_by("entity_id").len("rows")
    types = golds.join(tables.entities.select("entity_id", "entity_type"), on="entity_id", how="left")
    return Profile(
        dataset=dataset,
        counts={"posts": posts.height, "mentions": mentions.height, "entities": tables.entities.height},
        shares={
            "split": _listed(_counted(posts["split"])),
            "image": _listed(_counted(posts["image_status"])),
            "language": _listed(_counted(languages["language"])),
            "text_length": _binned(posts["text"].str.len_chars(), TEXT_CHARACTERS),
            "mention_length": _binned(mentions["mention"].str.len_chars(), MENTION_CHARACTERS),
            "mentions_per_post": _binned(per_post, MENTIONS),
            "gold": _listed(_counted(mentions.select(gold=gold_kind())["gold"])),
            "entity_type": _listed(types.select("entity_type", "rows")),
            "entity": _listed(golds),
        },
    )


def gold_kind() -> pl.Expr:
    """Of a mention: "nil" without a gold entity, else whether the catalog has it, "in_kb" or "out_of_kb"."""
    known = pl.when("in_kb").then(pl.lit("in_kb")).otherwise(pl.lit("out_of_kb"))
    return pl.when(pl.col("entity_id").is_null()).then(pl.lit("nil")).otherwise(known)


def _counted(values: pl.Series) -> pl.DataFrame:
    return values.to_frame("value").group_by("value").len("rows")


def _listed(counts: pl.DataFrame) -> Shares:
    """The shares of the most frequent values, by name, the others last. counts: columns of a value and of its rows."""
    value, total = counts.columns[0], counts["rows"].sum()
    named = counts.with_columns(pl.col(value).replace("", NONE).fill_null(NONE))
    summed = named.group_by(value).agg(pl.col("rows").sum()).sort(pl.col("rows"), value, descending=[True, False])
    shares = {name: round(rows / total, DIGITS) for name, rows in sorted(summed[:MOST_VALUES].iter_rows())}
    rest = int(summed[MOST_VALUES:]["rows"].sum())
    return shares | ({OTHER: round(rest / total, DIGITS)} if rest else {})


def _binned(values: pl.Series, starts: Sequence[int]) -> Shares:
    """The share of each bin. starts: the least whole number of each bin but the first, which starts at 0."""
    least = (0, *starts)
    ends = (*(start - 1 for start in starts), None)
    labels = [_label(start, end) for start, end in zip(least, ends, strict=True)]
    cut = values.drop_nulls().cut([float(start) for start in starts], labels=labels, left_closed=True)
    counts: Mapping[str, int] = dict(_counted(cut.cast(pl.String)).iter_rows())
    return {label: round(counts[label] / len(cut), DIGITS) for label in labels if label in counts}


def _label(start: int, end: int | None) -> str:
    if end is None:
        return f"{start} and more"
    return str(start) if start == end else f"{start} to {end}"
