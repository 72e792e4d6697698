"""Edits of a catalog's changes, each checked against the catalog as it then is."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from gemel.core.errors import DataError, RequestError
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.entities.changed import ChangedCatalog, EntityChange, changed_catalog, free_names

MOST_SHOWN, NEAREST = 3, 3
# Names that are compared letter by letter to find those that were perhaps meant.
_COMPARED = 2_000


class CatalogEditor:
    """The changes of a catalog, to be edited. After an error they are as they were before that edit."""

    def __init__(self, base: Catalog, changes: Iterable[EntityChange], shown: Mapping[str, int]) -> None:
        """base: the catalog of the data set. changes: so far; those that no longer fit the base go, see `unfit`.

        shown: entity id -> how many demonstrations show it.
        Raises: DataError as changed_catalog.
        """
        self._base, self._shown = base, shown
        given = {change.entity_id: change for change in changes}
        self.current: ChangedCatalog = changed_catalog(base, given.values())
        self.unfit = self.current.unfit
        self.changes = {key: change for key, change in given.items() if key not in self.current.dropped}

    @property
    def catalog(self) -> Catalog:
        """The catalog with all changes."""
        return self.current.catalog

    def add(self, entities: Sequence[Entity], *, check_aliases: bool = True) -> tuple[Entity, ...]:
        """Add entities; those without a name are named by unique_names' rules, and no name that is there changes.

        check_aliases: whether to refuse an alias that is another entity's name.
        Returns: them with their names.
        Raises: DataError if there are none, an id is there already or has been removed, a name is another entity's, or
        an alias is.
        """
        if not entities:
            raise DataError("no entities to add; give --id and --label, or a file that has rows")
        self._check_ids(entities)
        self._check_names(entities)
        named = free_names(self.catalog, entities)
        if check_aliases:
            self._check_aliases(named)
        self._take({entity.entity_id: EntityChange(entity.entity_id, added=entity) for entity in named})
        return named

    def remove(self, entity_ids: Iterable[str], *, with_demonstrations: bool = False) -> int:
        """Remove entities. Those that were merged into one of them go with it.

        with_demonstrations: whether demonstrations may go with them.
        Returns: how many demonstrations go.
        Raises: DataError if the catalog lacks one, or none would be left; RequestError if demonstrations would go.
        """
        ids = list(dict.fromkeys(entity_ids))
        self._check_known(ids)
        gone = set(ids)
        lost = {each: self._demonstrations(each) for each in ids}
        count = sum(lost.values())
        if count and not with_demonstrations:
            many = sorted((each for each in ids if lost[each]), key=lambda each: -lost[each])[:MOST_SHOWN]
            what = ", ".join(f"{each!r} ({self.catalog.entity(each).name}): {lost[each]}" for each in many)
            raise RequestError(
                f"{count} demonstrations show entities to be removed and would go with them, {what}; give --yes if "
                "that is meant, or merge the entities into others with `gemel entities sync --redirects`"
            )
        merged = {key for key, change in self.changes.items() if change.redirect in gone}
        self._take({each: EntityChange(each, removed=True) for each in (*ids, *merged)})
        return count

    def rename(self, entity_id: str, name: str) -> None:
        """Give an entity another name; its id stays.

        Raises: DataError if the catalog lacks it, the name is empty, or it is another entity's.
        """
        self._check_known([entity_id])
        name = " ".join(name.split())
        if not name:
            raise DataError(f"entity {entity_id!r}: the new name is empty; give the name that the LLM is to write")
        holder = self._holders([name]).get(name)
        if holder not in (None, entity_id):
            raise DataError(f"{name!r} is the name of {holder!r}; choose another one, or rename that one first")
        self._take(self._named(entity_id, name))

    def redirect(self, pairs: Mapping[str, str]) -> None:
        """Merge entities into others: old id -> living one. Chains are followed.

        Raises: DataError if pairs run in a circle, or a living id is none of the catalog's.
        """
        # Those of before come again, as what they lead to may be merged now; an entity's new merger replaces its old.
        steps = {key: change.redirect for key, change in self.changes.items() if change.redirect is not None}
        steps |= pairs
        taken = {old: EntityChange(old, redirect=to) for old, to in steps.items()}
        unknown = sorted({to for to in pairs.values() if to not in self.catalog and to not in steps})
        if unknown:
            old = next(old for old, to in pairs.items() if to == unknown[0])
            raise DataError(
                f"{len(unknown)} redirects lead to ids that the catalog lacks, e.g. {old!r} to {unknown[0]!r}"
                f"{self._nearest(unknown[0])}; add these first, or leave the redirects out"
            )
        self._take(taken)

    def rename_freely(self, entities: Iterable[Entity]) -> None:
        """Name entities of the catalog anew by unique_names' rules; no other's name changes."""
        given = list(entities)
        changes: dict[str, EntityChange] = {}
        for entity in free_names(self.catalog, given) if given else ():
            changes |= self._named(entity.entity_id, entity.name)
        self._take(changes)

    def restore(self, entity_ids: Iterable[str]) -> None:
        """Undo what was changed about entities.

        Raises: DataError if nothing is changed about one of them, or its name is meanwhile another's.
        """
        ids = list(entity_ids)
        same = [each for each in ids if each not in self.changes]
        if same:
            raise DataError(f"nothing is changed about {same[0]!r}; see `gemel entities list --changed`")
        kept = {key: change for key, change in self.changes.items() if key not in ids}
        self._replace(kept)

    def _named(self, entity_id: str, name: str) -> dict[str, EntityChange]:
        living = self.catalog.entity(entity_id).entity_id
        change = self.changes.get(living)
        if change is not None and change.added is not None:
            return {living: EntityChange(living, added=dataclasses.replace(change.added, name=name))}
        return {living: EntityChange(living, name=name)}

    def _take(self, changes: Mapping[str, EntityChange]) -> None:
        """Add changes to those there are; what is then as in the base leaves no change."""
        kept = dict(self.changes)
        for key, change in changes.items():
            former = kept.pop(key, None)
            in_base = not (former is not None and former.added is not None) and key in self._base
            undone = (change.removed and not in_base) or (in_base and change.name == self._base.entity(key).name)
            if not undone:
                kept[key] = change
        self._replace(kept)

    def _replace(self, changes: dict[str, EntityChange]) -> None:
        current = changed_catalog(self._base, changes.values())
        if current.unfit:
            (entity_id, why), *_ = current.unfit.items()
            raise DataError(f"{entity_id!r}: {why}; choose otherwise, nothing was changed")
        self.changes, self.current = changes, current

    def _demonstrations(self, entity_id: str) -> int:
        ids = [entity_id, *(old for old, to in self.catalog.redirects.items() if to == entity_id)]
        return sum(self._shown.get(each, 0) for each in ids)

    def _check_ids(self, entities: Sequence[Entity]) -> None:
        for entity in entities:
            key = entity.entity_id
            change = self.changes.get(key)
            if change is not None and change.added is None:
                raise DataError(
                    f"entity {key!r} is in the data set and was {change.kind}; "
                    f"`gemel entities restore {key}` undoes that"
                )
            if key in self.catalog:
                name = self.catalog.entity(key).name
                raise DataError(
                    f"entity {key!r} is in the catalog already, named {name!r}; rename it, or choose another id"
                )

    def _check_names(self, entities: Sequence[Entity]) -> None:
        given = [" ".join(entity.name.split()) for entity in entities if entity.name.strip()]
        holders = self._holders(given)
        for entity in entities:
            name = " ".join(entity.name.split())
            if name in holders:
                raise DataError(
                    f"entity {entity.entity_id!r}: {name!r} is the name of {holders[name]!r}; choose another one, or "
                    "give it as label (--label) to have it told apart"
                )
        if len(set(given)) < len(given):
            twice = next(name for name in given if given.count(name) > 1)
            raise DataError(f"the name {twice!r} is given to two entities; choose another for one of them")

    def _check_aliases(self, entities: Sequence[Entity]) -> None:
        holders = self._holders([alias for entity in entities for alias in entity.aliases])
        holders |= {entity.name: entity.entity_id for entity in entities}
        for entity in entities:
            for alias in entity.aliases:
                if holders.get(alias, entity.entity_id) != entity.entity_id:
                    raise DataError(
                        f"entity {entity.entity_id!r}: its alias {alias!r} is the name of {holders[alias]!r}; leave it "
                        "out, or rename that one first"
                    )

    def _holders(self, names: Sequence[str]) -> dict[str, str]:
        """Name -> id of the entity that has it."""
        found = self.catalog.table.filter(pl.col("name").is_in(list(names)))
        return dict(found.select("name", "entity_id").iter_rows())

    def _check_known(self, entity_ids: Iterable[str]) -> None:
        for entity_id in entity_ids:
            if entity_id not in self.catalog or entity_id in self.catalog.redirects:
                living = self.catalog.redirects.get(entity_id)
                raise DataError(
                    f"no entity {entity_id!r} in the catalog of {len(self.catalog)} entities"
                    f"{f', it was merged into {living!r}' if living else self._nearest(entity_id)}; "
                    "see `gemel entities list`"
                )

    def _nearest(self, wanted: str) -> str:
        """Ids like the one that isn't there, and those of entities named so."""
        table = self.catalog.table.select("entity_id", "name")
        ids = table["entity_id"]
        alike = ids.filter(ids.str.starts_with(wanted[: max(1, len(wanted) - 2)])).head(_COMPARED).to_list()
        near = difflib.get_close_matches(wanted, alike, NEAREST, 0.6)
        lower = pl.col("name").str.to_lowercase()
        starts = table.filter(lower.str.starts_with(wanted.lower())).head(_COMPARED)
        named = difflib.get_close_matches(wanted, starts["name"].to_list(), NEAREST, 0.3)
        hints = [*(f"{each!r}" for each in near), *(f"{self._holders([each])[each]!r} ({each})" for each in named)]
        return f"; near it: {', '.join(dict.fromkeys(hints))}" if hints else ""
