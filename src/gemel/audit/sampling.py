"""A uniform sample of links, and the record of what was drawn, which judgements are held to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from gemel.core.artifacts import file_sha256
from gemel.core.errors import DataError, RequestError
from gemel.interchange.rows import LinkedMention, LinkedPosts

FORMAT = 1


@dataclass(frozen=True)
class Frame:
    """What was drawn from. size: links in the file, one a mention. refused: its rows that are no links, never drawn."""

    links: str
    links_sha256: str
    posts: str
    posts_sha256: str
    size: int
    refused: int


@dataclass(frozen=True)
class Item:
    """A link that was drawn. item: its id; row: its row in the file of links, from 0.

    probability: of the entity, that it is right. image: whether the post's was read. mention_is_name: whether
    the mention is the entity's name, but for case. entity_type: of the entity; "": not known.
    """

    item: str
    row: int
    post_id: str
    mention: str
    entity_id: str
    name: str
    probability: float
    image: Literal["read", "none", "unreadable"]
    mention_is_name: bool
    entity_type: str


@dataclass(frozen=True)
class Sample:
    """What was drawn, in the order drawn. sample: its id, which follows from all the rest."""

    sample: str
    frame: Frame
    seed: int
    items: tuple[Item, ...]
    format: int = FORMAT


def frame_of(links: Path, posts: Path, linked: LinkedPosts) -> Frame:
    """The frame that these two files make; linked: what they hold."""
    hashes = {"links_sha256": file_sha256(links), "posts_sha256": file_sha256(posts)}
    return Frame(links=links.name, posts=posts.name, size=len(linked.mentions), refused=linked.refused, **hashes)


def draw_links(linked: LinkedPosts, count: int, seed: int) -> tuple[LinkedMention, ...]:
    """Draw links without replacement, each as likely as any other, in random order: what comes first is a sample too.

    Raises: RequestError if there are fewer.
    """
    size = len(linked.mentions)
    if count > size:
        raise RequestError(f"--count {count}: the file has {size} links; give --count {size} or fewer")
    return tuple(random.Random(seed).sample(linked.mentions, count))


def make_sample(frame: Frame, seed: int, drawn: tuple[LinkedMention, ...], types: Mapping[str, str]) -> Sample:
    """The record of what was drawn. types: of entities by id; of others it is what the post asks for."""
    items = tuple(_item(each, types) for each in drawn)
    sample = _identity(frame, seed, items)
    named = tuple(dataclasses.replace(item, item=f"{sample}-{item.row}") for item in items)
    return Sample(sample, frame, seed, named)


def sample_json(sample: Sample) -> str:
    """The record as JSON."""
    return json.dumps(dataclasses.asdict(sample), ensure_ascii=False, indent=1) + "\n"


def read_sample(path: Path) -> Sample:
    """Read a record.

    Raises: DataError if it is missing, no such record, or was changed since.
    """
    advice = "give the sample.json that `gemel audit sample` wrote"
    try:
        sample = TypeAdapter(Sample).validate_json(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{path}: no such file; {advice}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path}: no record of a sample ({place}: {first['msg']}); {advice}") from None
    if sample.format != FORMAT:
        raise DataError(f"{path}: expected format {FORMAT}, found {sample.format}; draw the sample with this version")
    unnamed = tuple(dataclasses.replace(item, item="") for item in sample.items)
    whole = all(item.item == f"{sample.sample}-{item.row}" for item in sample.items)
    if not whole or sample.sample != _identity(sample.frame, sample.seed, unnamed):
        raise DataError(f"{path}: was changed after sample {sample.sample!r} was drawn; {advice}")
    return sample


def check_frame(sample: Sample, links: Path) -> None:
    """Refuse a sample that was drawn from another file of links.

    Raises: DataError if the file is missing or its SHA-256 is not the frame's.
    """
    if not links.is_file():
        raise DataError(f"{links}: no such file; give the links that the sample was drawn from")
    found = file_sha256(links)
    if found != sample.frame.links_sha256:
        raise DataError(
            f"{links}: SHA-256 {found[:12]}…, but sample {sample.sample} was drawn from {sample.frame.links} with "
            f"{sample.frame.links_sha256[:12]}…; draw a sample of these links"
        )


def _item(each: LinkedMention, types: Mapping[str, str]) -> Item:
    best, read = each.best, each.image.partition(":")[0]
    return Item(
        item="",
        row=each.row,
        post_id=each.post.post_id,
        mention=each.mention,
        entity_id=best.entity_id,
        name=best.name,
        probability=best.probability,
        image="read" if read == "read" else "none" if read == "none" else "unreadable",
        mention_is_name=each.mention.casefold() == best.name.casefold(),
        entity_type=types.get(best.entity_id) or each.entity_type,
    )


def _identity(frame: Frame, seed: int, unnamed: tuple[Item, ...]) -> str:
    """Starts with a letter, so that no spreadsheet takes it for a number."""
    facts = [dataclasses.asdict(frame), seed, [dataclasses.asdict(item) for item in unnamed]]
    return f"s{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]}"
