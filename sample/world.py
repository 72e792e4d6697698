"""The sample world: who lives in it, how well known they are, and what people write about them.

Its entities are real: names and QIDs are facts of Wikidata, kept in entities.tsv. Posts and pictures are made up.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from sample.phrases import FILLERS, HINTS, TEMPLATES, WHEN

Role = Literal["common", "unseen", "novel"]
SEED = 20_261
ENTITY_TABLE = Path(__file__).parent / "entities.tsv"
ENTITY_SHARES = (0.5, 0.3, 0.2, 0.15)
CATALOG_SIZE = 5_200


@dataclass(frozen=True)
class Inhabitant:
    """An entity of the world.

    role: `common`; `unseen`, one that the mapper's training never meets (the LLM knows its name); or `novel`, one that
    the LLM never met, so that only a demonstration can teach its name.
    """

    qid: str
    name: str
    mention: str
    kind: str
    description: str
    popularity: int
    role: Role


@dataclass(frozen=True)
class World:
    """All inhabitants, in the order of the table."""

    inhabitants: tuple[Inhabitant, ...]

    @cached_property
    def groups(self) -> dict[str, tuple[Inhabitant, ...]]:
        """Inhabitants that share a mention, by mention."""
        groups: dict[str, list[Inhabitant]] = defaultdict(list)
        for inhabitant in self.inhabitants:
            groups[inhabitant.mention].append(inhabitant)
        return {mention: tuple(group) for mention, group in groups.items()}

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words of all names, the mentions left out."""
        found = {word.strip("(),") for one in self.inhabitants for word in one.name.split()}
        return tuple(sorted(word for word in found - set(self.groups) if word))


def load_world(table: Path = ENTITY_TABLE) -> World:
    """Read the entities and give each its popularity and role. Deterministic."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    rng = random.Random(SEED)
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        groups[row["mention"]].append(row)
    ranks = list(range(1, len(groups) + 1))
    rng.shuffle(ranks)
    inhabitants = []
    for number, (group, rank) in enumerate(zip(groups.values(), ranks, strict=True)):
        order = rng.sample(range(len(group)), len(group))
        for row, position in zip(group, order, strict=True):
            popularity = round(1_000 * ENTITY_SHARES[position] * (4 / (3 + rank)) ** 0.9)
            inhabitants.append(Inhabitant(**row, popularity=popularity, role=_role(number, position)))
    return World(tuple(inhabitants))


def _role(group: int, position: int) -> Role:
    """Every second group has a novel member, every third an unseen one; they are of all positions in turn."""
    if group % 2 == 0 and position == group // 2 % 3:
        return "novel"
    if group % 3 == 0 and position == (group // 3 + 1) % 3:
        return "unseen"
    return "common"


def write_text(mention: str, hint_kind: str | None, rng: random.Random) -> str:
    """A post's text: neutral, or with a phrase that gives its kind away."""
    text = rng.choice(TEMPLATES).format(m=mention, when=rng.choice(WHEN))
    if hint_kind is not None:
        return f"{text}, {rng.choice(HINTS[hint_kind])}"
    if rng.random() < 0.5:
        return f"{text}, {rng.choice(FILLERS)}"
    return text


def invent_name(world: World, mention: str, rng: random.Random) -> str:
    """A made-up name of the shape that real ones have, out of the words of real ones."""
    model = rng.choice(world.inhabitants)
    words = [word if word == model.mention else _swap(word, world, rng) for word in model.name.split()]
    return " ".join(mention if word == model.mention else word for word in words)


def _swap(word: str, world: World, rng: random.Random) -> str:
    core = word.strip("(),")
    return word.replace(core, rng.choice(world.words)) if core else word


def invented_names(world: World, count: int, seed: int, taken: set[str]) -> list[str]:
    """Distinct made-up names, half of them with a mention of the world in them, none in `taken`."""
    rng = random.Random(seed)
    mentions = list(world.groups)
    names: dict[str, None] = {}
    while len(names) < count:
        first = rng.choice(mentions) if rng.random() < 0.5 else rng.choice(world.words)
        name = invent_name(world, first, rng)
        if name not in taken:
            names[name] = None
    return list(names)
