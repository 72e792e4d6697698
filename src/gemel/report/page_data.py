"""The rows of the error browser: everything that the page says of each graded mention, as JSON-able values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from gemel.evaluation.names import ALONE, BLIND, FULL
from gemel.report.calibration import probabilities
from gemel.report.neighbours import neighbours
from gemel.report.run import SPLITS, Run
from gemel.report.thumbnails import reason, thumbnails

NEIGHBOURS = 5
# Variant -> what is said of a mention that only the linker, or only that variant, got right.
LOST = {BLIND: "the image", ALONE: "demonstrations"}

Row = Mapping[str, Any]


def marked(text: str, mention: str, start: int | None) -> tuple[str, str, str]:
    """The text before, in and after its mention. Python counts characters and JavaScript does not, so it is cut here.

    start: character offset, or None: the mention's first occurrence; one that does not occur leaves the text whole.
    """
    place = text.find(mention) if start is None else start
    if place < 0:
        return text, "", ""
    return text[:place], text[place : place + len(mention)], text[place + len(mention) :]


@dataclass
class _Entities:
    """The entities that the page speaks of, numbered as they come up."""

    run: Run
    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, entity_id: str) -> int:
        return self.numbers.setdefault(entity_id, len(self.numbers))

    def rows(self) -> list[list[Any]]:
        """Of each entity: id, name, type, description, and [number, shared tokens] of its neighbours in the trie.

        Neighbours are entities of the page too, and have no neighbours themselves unless they were answers or gold.
        """
        near = {entity_id: self._neighbours(entity_id) for entity_id in tuple(self.numbers)}
        return [[*self._words(entity_id), near.get(entity_id, [])] for entity_id in self.numbers]

    def _words(self, entity_id: str) -> tuple[str, str, str, str]:
        if entity_id not in self.run.catalog:
            return entity_id, "", "", "not in the catalog"
        entity = self.run.catalog.entity(entity_id)
        return entity_id, entity.name, entity.entity_type or "", entity.description or ""

    def _neighbours(self, entity_id: str) -> list[list[int]]:
        catalog = self.run.catalog
        if entity_id not in catalog:
            return []
        found = neighbours(self.run.trie, catalog.index(entity_id), NEIGHBOURS)
        return [[self.number(catalog.ids[each.name]), each.shared] for each in found]


def browser_data(run: Run) -> dict[str, Any]:
    """All that the error browser shows.

    Returns: `mentions`, the errors first, the surest one first, then the right ones, the least sure first;
    `entities`, `demonstrations`, `images` and `variants`, which the mentions name by number or key.
    """
    entities = _Entities(run)
    variants = [name for name in run.evaluation.predictions["variant"].unique(maintain_order=True) if name != FULL]
    rows = [row for split in SPLITS for row in _split_rows(run, split, variants, entities)]
    rows.sort(key=_urgency)
    posts = {row["post_id"]: row for row in run.tables.posts.iter_rows(named=True)}
    made = thumbnails((posts[row["post"]] for row in rows), run.data)
    for row in rows:
        post = posts[row.pop("post")]
        row |= {"image": post["image_sha256"], "status": post["image_status"], "why": reason(post, made)}
    used = sorted({number for row in rows for number in row["demonstrations"]})
    return {
        "variants": variants,
        "mentions": rows,
        "entities": entities.rows(),
        "demonstrations": {number: _demonstration(run.corpus.row(number, named=True)) for number in used},
        "images": made.uris,
    }


def _split_rows(run: Run, split: str, variants: Sequence[str], entities: _Entities) -> list[dict[str, Any]]:
    graded, full = run.graded[split], run.evaluation.answers(FULL, split)
    others = {name: _by_mention(run.evaluation.answers(name, split)) for name in variants}
    ambiguous = ambiguous_mentions(run.tables.mentions)
    places = run.tables.mentions.select("mention_id", "post_id", "occurrences")
    mentions = graded.table.select("mention_id", "mention", "start", "text").join(
        places, on="mention_id", how="left", maintain_order="left"
    )
    answers = _by_mention(full)
    rows = []
    for mention, trained in zip(mentions.iter_rows(named=True), graded.train_counts, strict=True):
        answer = answers[mention["mention_id"]]
        other = {name: found.get(mention["mention_id"]) for name, found in others.items()}
        tags = [
            _popularity(int(trained), int(run.evaluation.facts["tail_at_most"])),
            "ambiguous mention" if mention["mention"].casefold() in ambiguous else "unambiguous mention",
            *_tags(answer, other, mention["occurrences"]),
        ]
        rows.append(
            _row(split, mention, answer, other, entities)
            | {"tags": tags, "demonstrations": list(run.chosen[mention["mention_id"]])}
        )
    return rows


def ambiguous_mentions(mentions: pl.DataFrame) -> set[str]:
    """The mention strings, case folded, that stand for more than one entity in the data set."""
    golds = mentions.drop_nulls("entity_id").select("mention", "entity_id").unique()
    seen: dict[str, str] = {}
    return {
        folded for mention, gold in golds.iter_rows() if seen.setdefault(folded := mention.casefold(), gold) != gold
    }


def _row(split: str, mention: Row, answer: Row, other: Mapping[str, Row | None], entities: _Entities) -> dict[str, Any]:
    shares = probabilities(answer["scores"])
    return {
        "id": mention["mention_id"],
        "post": mention["post_id"],
        "split": split,
        "mention": mention["mention"],
        "text": marked(mention["text"], mention["mention"], mention["start"]),
        "gold": entities.number(answer["entity_id"]),
        "place": answer["place"],
        "answers": [
            [entities.number(found), round(score, 4), round(float(share), 4)]
            for found, score, share in zip(answer["answers"], answer["scores"], shares, strict=True)
        ],
        "others": [None if each is None else _first(each, entities) for each in other.values()],
        "left_out": answer["left_out"],
        "kept": answer["kept_characters"],
    }


def _first(answer: Row, entities: _Entities) -> list[Any]:
    """The best candidate of another variant: entity, probability, and whether it is right."""
    share = float(probabilities(answer["scores"])[0])
    return [entities.number(answer["answers"][0]), round(share, 4), answer["place"] == 1]


def _popularity(trained: int, tail_at_most: int) -> str:
    if trained == 0:
        return "unseen entity"
    return "tail entity" if trained <= tail_at_most else "head entity"


def _tags(answer: Row, other: Mapping[str, Row | None], occurrences: int) -> list[str]:
    right = answer["place"] == 1
    tags = []
    for variant, part in LOST.items():
        less = other.get(variant)
        if less is not None and (less["place"] == 1) != right:
            tags.append(f"right only {'with' if right else 'without'} {part}")
    if occurrences > 1:
        tags.append("mention occurs more than once")
    if answer["left_out"]:
        tags.append("demonstrations left out")
    if answer["kept_characters"] is not None:
        tags.append("text cut")
    return tags


def _demonstration(row: Row) -> dict[str, Any]:
    return {
        "text": marked(row["text"], row["mention"], None),
        "name": row["name"],
        "image": row["image_sha256"] is not None,
    }


def _by_mention(answers: pl.DataFrame) -> dict[str, Row]:
    return {row["mention_id"]: row for row in answers.iter_rows(named=True)}


def _urgency(row: Row) -> tuple[bool, float]:
    right, share = row["place"] == 1, row["answers"][0][2]
    return right, share if right else -share
