"""The rules that a row is held to by itself and by what is known; each says what breaks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gemel.intake.candidates import Candidate, Rule
from gemel.intake.corpus import Corpus
from gemel.intake.lines import words_of
from gemel.intake.settings import IntakeSettings
from gemel.intake.suspicion import AlikeTexts, contradicted, unheard_type


@dataclass
class Facts:
    """What the rules look at. alike: texts of the watched sources. put_off: ids of entities that have to wait."""

    corpus: Corpus
    settings: IntakeSettings
    alike: AlikeTexts
    put_off: set[str] = field(default_factory=set)


def _split(_: Facts, row: Candidate) -> str | None:
    split = row.row["split"]
    if row.stated and split != "train":
        return (
            f"split {split!r}: the frozen sets never grow by themselves; leave it out, or change the data set by hand"
        )
    return None


def _leak(facts: Facts, row: Candidate) -> str | None:
    if row.row["split"] == "dev":
        return None
    there = (post for post in facts.corpus.by_words.get(words_of(row.row["text"]), ()) if post.split != "train")
    post = next(there, None)
    return None if post is None else f"its text is that of {post.id!r} in {post.split}, which training must not meet"


def _taken_id(facts: Facts, row: Candidate) -> str | None:
    if row.id in facts.corpus.posts:
        return f"id {row.id!r}: a post of other content has it; give this one another id"
    ids = [each["id"] for each in row.row["mentions"]]
    for id_ in ids:
        if id_ in facts.corpus.mention_ids or ids.count(id_) > 1:
            other = facts.corpus.mention_ids.get(id_, row.id)
            return f"mention id {id_!r}: a mention of {other!r} has it; give this one another id"
    return None


def _unknown_entity(facts: Facts, row: Candidate) -> str | None:
    for each in row.row["mentions"]:
        entity = each["entity"]
        known = entity is None or facts.corpus.living(entity) in facts.corpus.entities
        if not known and entity not in facts.put_off:
            return f"no entity {entity!r} in the data set or the batch; add it to entities.jsonl of a batch"
    return None


def _size(facts: Facts, row: Candidate) -> str | None:
    caps, text, mentions = facts.settings.caps, len(row.row["text"]), len(row.row["mentions"])
    if text > caps.text or mentions > caps.mentions:
        return f"{text} characters and {mentions} mentions, more than {caps.text} or {caps.mentions} (intake.caps)"
    return None


def _no_image(facts: Facts, row: Candidate) -> str | None:
    if row.picture is not None and facts.corpus.archived:
        return (
            "the images of the data set lie in an archive; put this one there, and the post into the data set by hand"
        )
    return row.fault


def _frozen_picture(facts: Facts, row: Candidate) -> str | None:
    if row.picture is None or row.row["split"] == "dev":
        return None
    there = (post for post in facts.corpus.showing(row.picture) if post.split != "train")
    post = next(there, None)
    return None if post is None else f"its image is that of {post.id!r} in {post.split}"


def _contradiction(facts: Facts, row: Candidate) -> str | None:
    found = contradicted(row, facts.corpus)
    return found and found[1]


def _per_entity(facts: Facts, row: Candidate) -> str | None:
    new = Counter(each["entity"] for each in row.row["mentions"] if each["entity"] is not None)
    for entity, count in new.items():
        there = facts.corpus.to_entity[row.source, entity]
        if there + count > facts.settings.caps.per_entity:
            return f"{entity} has {there} training mentions of {row.source} already, the most (intake.caps.per_entity)"
    return None


def _unheard_type(facts: Facts, row: Candidate) -> str | None:
    if row.source not in facts.settings.suspicion.watched:
        return None
    return unheard_type(row, facts.corpus, facts.settings.suspicion.known)


def _alike(facts: Facts, row: Candidate) -> str | None:
    return facts.alike.repeated(row) if row.source in facts.settings.suspicion.watched else None


def _other_entity(facts: Facts, row: Candidate) -> str | None:
    known = facts.corpus.entities.get(facts.corpus.living(row.id))
    if known is None:
        return None
    return f"{row.id!r} is {known['label']!r} already, with other facts; change it with `gemel entities`"


Check = Callable[[Facts, Candidate], str | None]
POST_RULES: Sequence[tuple[Rule, Check]] = (
    ("split", _split),
    ("leak", _leak),
    ("image", _no_image),
    ("id", _taken_id),
    ("entity", _unknown_entity),
    ("size", _size),
    ("picture", _frozen_picture),
    ("contradiction", _contradiction),
    ("per_entity", _per_entity),
    ("type", _unheard_type),
    ("alike", _alike),
)
ENTITY_RULES: Sequence[tuple[Rule, Check]] = (("catalog", _other_entity),)
