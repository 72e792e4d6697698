"""A catalog with changes: entities added, renamed, removed, or merged into others, and all others as they were."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from gemel.core.errors import DataError
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog, unique_names

KINDS = ("added", "renamed", "removed", "redirected")


@dataclass(frozen=True)
class EntityChange:
    """What becomes of one entity: exactly one of the four that KINDS names.

    added: the whole entity, its name unique. name: another one for an entity of the base. redirect: the id of the
    entity that it was merged into.
    """

    entity_id: str
    added: Entity | None = None
    name: str | None = None
    removed: bool = False
    redirect: str | None = None

    @property
    def kind(self) -> str:
        """One of KINDS."""
        stated = (self.added is not None, self.name is not None, self.removed, self.redirect is not None)
        return KINDS[stated.index(True)]


@dataclass(frozen=True)
class ChangedCatalog:
    """A catalog, and what was done to the one before.

    done: how many of each of KINDS. unfit: entity id -> why its change no longer fits the base and was left out, or
    could be made in another way only.
    dropped: ids of the changes that were left out; these may be forgotten.
    """

    catalog: Catalog
    done: Mapping[str, int]
    unfit: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()


def changed_catalog(base: Catalog, changes: Iterable[EntityChange]) -> ChangedCatalog:
    """Apply changes: entities stay in the order of the base, added ones follow in the order of their ids.

    The result depends on the set of changes, not on the order in which they were made. Names of the base never change
    by what is added: if one that was given to a new entity is meanwhile the base's, that one gets another.
    Raises: DataError if redirects run in a circle, one id has two changes, or no entity is left.
    """
    given = sorted(changes, key=lambda change: change.entity_id)
    twice = [entity_id for entity_id, count in Counter(change.entity_id for change in given).items() if count > 1]
    if twice:
        raise DataError(f"{len(twice)} entities have two changes each, e.g. {twice[0]!r}; keep one")
    if not given:
        return ChangedCatalog(base, dict.fromkeys(KINDS, 0))
    unfit = _unfit(base, given)
    dropped = frozenset(unfit)
    fit = [change for change in given if change.entity_id not in dropped]
    redirects = redirect_ends({change.entity_id: change.redirect for change in fit if change.redirect is not None})
    gone = {change.entity_id for change in fit if change.removed} | redirects.keys()
    table = base.table.filter(~pl.col("entity_id").is_in(list(gone))) if gone else base.table
    table, refused = _renamed(table, {change.entity_id: change.name for change in fit if change.name is not None})
    table, other_names = _extended(table, [change.added for change in fit if change.added is not None])
    living = set(table.filter(pl.col("entity_id").is_in(list(redirects.values())))["entity_id"])
    lost = {old: f"it redirects to {to!r}, which is gone" for old, to in redirects.items() if to not in living}
    catalog = Catalog(table, {old: to for old, to in redirects.items() if old not in lost})
    done = Counter(change.kind for change in fit if change.entity_id not in refused)
    return ChangedCatalog(
        catalog,
        {kind: done[kind] for kind in KINDS},
        unfit | refused | other_names | lost,
        dropped | refused.keys(),
    )


def redirect_ends(steps: Mapping[str, str]) -> dict[str, str]:
    """Old id -> the id at the end of its chain. Raises: DataError if a chain runs in a circle."""
    ends = {}
    for old in steps:
        chain, at = [old], steps[old]
        while at in steps:
            if at in chain:
                circle = [*chain[chain.index(at) :], at]
                raise DataError(f"redirects run in a circle, {' → '.join(circle)}; remove one of them")
            chain.append(at)
            at = steps[at]
        ends[old] = at
    return ends


def free_names(base: Catalog, entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """New entities with unique names; those of the catalog stay as they are, its ids are none of theirs."""
    return unique_names(entities, reserved=base.names).entities


def _unfit(base: Catalog, changes: Iterable[EntityChange]) -> dict[str, str]:
    """Changes that the base has made, or has no entity for: id -> why."""
    ids = [change.entity_id for change in changes]
    own = dict(base.table.filter(pl.col("entity_id").is_in(ids)).select("entity_id", "name").iter_rows())
    unfit = {}
    for change in changes:
        entity_id, kind = change.entity_id, change.kind
        if kind == "added" and entity_id in own:
            unfit[entity_id] = "added here, but the data set has it now"
        elif kind == "removed" and entity_id not in own:
            unfit[entity_id] = "removed here, and the data set no longer has it"
        elif kind == "renamed" and entity_id not in own:
            unfit[entity_id] = "renamed here, but the data set no longer has it"
        elif kind == "renamed" and own[entity_id] == change.name:
            unfit[entity_id] = "renamed here, and the data set has that name now"
    return unfit


def _renamed(table: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, dict[str, str]]:
    """The table with other names, and those that are another entity's: id -> why it keeps its own."""
    refused: dict[str, str] = {}
    while wanted := {entity_id: name for entity_id, name in names.items() if entity_id not in refused}:
        rows = table["entity_id"].is_in(list(wanted)).arg_true()
        names_there = [wanted[entity_id] for entity_id in table["entity_id"].gather(rows)]
        renamed = table["name"].scatter(rows, names_there)
        if renamed.n_unique() == len(renamed):
            return table.with_columns(renamed), refused
        shared = set(renamed.filter(renamed.is_duplicated()))
        refused |= {
            entity_id: f"can't be named {name!r}, which is another entity's name now"
            for entity_id, name in wanted.items()
            if name in shared
        }
    return table, refused


def _extended(table: pl.DataFrame, added: list[Entity]) -> tuple[pl.DataFrame, dict[str, str]]:
    """The table with more entities, and those that had to be named otherwise: id -> how."""
    if not added:
        return table, {}
    taken = set(table.filter(pl.col("name").is_in([entity.name for entity in added]))["name"])
    # Their own names are reserved as well: none that stays may be given to one that has to change.
    reserved = [*table["name"], *(entity.name for entity in added)] if taken else []
    nameless = [
        dataclasses.replace(entity, name="", label=entity.label or entity.name)
        for entity in added
        if entity.name in taken
    ]
    names = {each.entity_id: each.name for each in unique_names(nameless, reserved).entities} if nameless else {}
    final = [dataclasses.replace(entity, name=names.get(entity.entity_id, entity.name)) for entity in added]
    told = {
        entity.entity_id: f"named {names[entity.entity_id]!r} now, as {entity.name!r} is another entity's name"
        for entity in added
        if entity.entity_id in names
    }
    return pl.concat([table, Catalog.of(final).table]), told
