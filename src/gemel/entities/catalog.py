"""The catalog: every entity that can be linked, with the unique name that the LLM generates for it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.core.entity_columns import ENTITIES_SCHEMA
from gemel.core.errors import ArtifactError, DataError
from gemel.core.schema import Entity

# A description that is longer makes a name that the LLM has to spell out at length, so the id is taken instead.
LONGEST_DESCRIPTION = 80
RUNGS = ("name", "title", "label", "type", "description", "year", "id")


@dataclass(frozen=True)
class NamingReport:
    """Entities with unique names, in the order they came, and how many were named on each rung of RUNGS.

    rungs: "name" = its own name was unique, "title" = the title of its Wikipedia article was, "label" = its label was,
    "type" = label (type), and so on.
    respaced: how many names, titles or labels had irregular white space.
    """

    entities: tuple[Entity, ...]
    rungs: Mapping[str, int]
    respaced: int


def unique_names(entities: Iterable[Entity], reserved: Iterable[str] = ()) -> NamingReport:
    """Give every entity a unique name, as Wikipedia does: "Mercury", or where that is shared "Mercury (planet)".

    An explicit name is kept if no other entity has it. The others are named by the title of their Wikipedia article or
    their label if it is free and unique among them, else by label (type), label (description), label (year), label
    (id). The result doesn't depend on the order.
    reserved: names of other entities, which stay theirs.
    Raises: DataError if there are no entities, two have one id, or one has neither name nor label.
    """
    given = list(entities)
    _check_ids([entity.entity_id for entity in given])
    cleaned = [_respace(entity) for entity in given]
    named: dict[str, tuple[str, str]] = {}
    taken = set(reserved)
    left: Sequence[Entity] = cleaned
    for rung in RUNGS[:-1]:
        left = _climb(left, rung, named, taken)
    for entity in sorted(left, key=lambda entity: entity.entity_id):
        named[entity.entity_id] = ("id", _free_name(entity, taken))
    counts = Counter(rung for rung, _ in named.values())
    return NamingReport(
        entities=tuple(dataclasses.replace(entity, name=named[entity.entity_id][1]) for entity in cleaned),
        rungs={rung: counts[rung] for rung in RUNGS},
        respaced=sum(old != new for old, new in zip(given, cleaned, strict=True)),
    )


def proposals(entity: Entity) -> frozenset[str]:
    """Every name that unique_names may give an entity, but those with its id twice."""
    cleaned = _respace(entity)
    return frozenset((*(propose(cleaned) for propose in _PROPOSALS.values()), _free_name(cleaned, set()))) - {""}


class Catalog:
    """Entities in a fixed order, found by id, by name or by the index of their name (the trie's numbering).

    The rows stay in a table, so that millions of entities cost columns and not objects.
    """

    def __init__(self, table: pl.DataFrame, redirects: Mapping[str, str] = MappingProxyType({})) -> None:
        """table: one row an entity, columns as the fields of core.schema.Entity. redirects: id of an entity that was
        merged -> id of the one that it is now.

        Raises: DataError if it has no rows, or an id or a name is empty or occurs twice.
        """
        # As a column: sets of millions of strings take seconds.
        ids, names = table["entity_id"], table["name"]
        if not len(ids) or (ids.is_null() | (ids == "")).any() or ids.n_unique() < len(ids):
            _check_ids(ids.to_list())
        if (names.is_null() | (names == "")).any():
            raise DataError(f"entity {table.filter(names.fill_null('') == '')['entity_id'][0]!r} has no name")
        if names.n_unique() < table.height:
            twice = table.filter(names.is_duplicated())
            raise DataError(
                f"{twice.height} entities share a name with another, e.g. {twice['name'][0]!r} for "
                f"{twice.filter(pl.col('name') == twice['name'][0])['entity_id'].to_list()[:3]}; "
                "tell them apart with unique_names first"
            )
        self.table = table.select(*ENTITIES_SCHEMA)
        self.redirects = redirects

    @classmethod
    def of(cls, entities: Iterable[Entity]) -> Catalog:
        """Make a catalog of entities whose names are unique already."""
        rows = [dataclasses.asdict(entity) | {"aliases": list(entity.aliases)} for entity in entities]
        return cls(pl.DataFrame(rows, schema=ENTITIES_SCHEMA))

    @classmethod
    def read(cls, path: Path, redirects: Mapping[str, str] = MappingProxyType({})) -> Catalog:
        """Read the entity table that the stage `posts` wrote. redirects: as for a new one.

        Raises: ArtifactError if it is absent or isn't such a table; DataError if its rows break the rules.
        """
        try:
            table = pl.read_parquet(path)
        except FileNotFoundError:
            raise ArtifactError(f"{path}: no such file; run `dvc repro posts`") from None
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ArtifactError(f"{path}: not a readable parquet file ({error}); run `dvc repro posts`") from error
        missing = [field for field in ENTITIES_SCHEMA if field not in table.columns]
        if missing:
            raise ArtifactError(f"{path}: columns {missing} are missing, found {table.columns}; run `dvc repro posts`")
        try:
            return cls(table, redirects)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    def write(self, path: Path) -> None:
        """Write the table of entities; equal tables give equal bytes."""
        self.table.rechunk().write_parquet(path, compression="zstd")

    @functools.cached_property
    def ids(self) -> tuple[str, ...]:
        """All entity ids, in catalog order."""
        return tuple(self.table["entity_id"].to_list())

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """All names, in catalog order: names[i] belongs to ids[i]."""
        return tuple(self.table["name"].to_list())

    @functools.cached_property
    def names_sha256(self) -> str:
        """SHA-256 over the names in their order, as hex digits: says which trie belongs to the catalog."""
        return hashlib.sha256("\0".join(self.names).encode()).hexdigest()

    def __len__(self) -> int:
        return self.table.height

    def __contains__(self, entity_id: object) -> bool:
        return self.redirects.get(str(entity_id), entity_id) in self._index_of_id

    def at(self, index: int) -> Entity:
        """The entity whose name is names[index].

        Raises: DataError if the index is negative or beyond the catalog.
        """
        if not 0 <= index < len(self):
            raise DataError(f"name index {index} is outside the catalog of {len(self)} entities")
        row = self.table.row(index, named=True)
        return Entity(**(row | {"aliases": tuple(row["aliases"] or ())}))

    def entity(self, entity_id: str) -> Entity:
        """The entity with this id, or the one that it was merged into.

        Raises: DataError if the catalog doesn't have it.
        """
        return self.at(self.index(entity_id))

    def index(self, entity_id: str) -> int:
        """The index of the name of the entity with this id, or of the one that it was merged into.

        Raises: DataError if the catalog doesn't have it.
        """
        index = self._index_of_id.get(self.redirects.get(entity_id, entity_id))
        if index is None:
            raise DataError(f"no entity {entity_id!r} in the catalog of {len(self)} entities")
        return index

    def other_names(self) -> Iterator[tuple[int, str]]:
        """The label and the aliases of every entity, each with the entity's index, in catalog order."""
        for index, (label, aliases) in enumerate(self.table.select("label", "aliases").iter_rows()):
            for text in (label or "", *(aliases or ())):
                yield index, text

    def of_type(self, entity_type: str) -> npt.NDArray[np.int64]:
        """The indices of the names of all entities of a type, (names,).

        Raises: DataError if there are none.
        """
        found = (self.table["entity_type"] == entity_type).arg_true().to_numpy().astype(np.int64)
        if not len(found):
            common = self.table["entity_type"].value_counts(sort=True)["entity_type"].head(8).to_list()
            raise DataError(f"no entity of type {entity_type!r}; the most common types: {', '.join(map(repr, common))}")
        return found

    def named(self, name: str) -> Entity:
        """The entity with exactly this name.

        Raises: DataError if the catalog doesn't have it.
        """
        index = self._index_of_name.get(name)
        if index is None:
            raise DataError(f"no entity is named {name!r} in the catalog of {len(self)} entities")
        return self.at(index)

    @functools.cached_property
    def _index_of_id(self) -> dict[str, int]:
        return {entity_id: index for index, entity_id in enumerate(self.ids)}

    @functools.cached_property
    def _index_of_name(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}


def _check_ids(ids: Sequence[str]) -> None:
    if not ids:
        raise DataError("the catalog has no entities, so there is nothing to link to")
    if not all(ids):
        raise DataError(f"entity {ids.index(next(id_ for id_ in ids if not id_)) + 1} of the catalog has no id")
    if len(set(ids)) < len(ids):
        twice = sorted(entity_id for entity_id, count in Counter(ids).items() if count > 1)
        raise DataError(f"{len(twice)} entity ids occur more than once: {', '.join(twice[:3])}")


def _respace(entity: Entity) -> Entity:
    name, label, title = (" ".join(text.split()) for text in (entity.name, entity.label, entity.title))
    if not name and not label:
        raise DataError(f"entity {entity.entity_id!r} has neither a name nor a label")
    return dataclasses.replace(entity, name=name, label=label, title=title)


def _climb(entities: Sequence[Entity], rung: str, named: dict[str, tuple[str, str]], taken: set[str]) -> list[Entity]:
    """Name those whose proposal on this rung is free and theirs alone; give back the others."""
    proposals = [_PROPOSALS[rung](entity) for entity in entities]
    counts = Counter(proposals)
    left: list[Entity] = []
    fresh: set[str] = set()
    for entity, proposal in zip(entities, proposals, strict=True):
        if proposal and counts[proposal] == 1 and proposal not in taken:
            named[entity.entity_id] = (rung, proposal)
            fresh.add(proposal)
        else:
            left.append(entity)
    taken |= fresh
    return left


def _base(entity: Entity) -> str:
    return entity.label or entity.name


def _with_description(entity: Entity) -> str:
    description = " ".join(entity.description.split())
    return f"{_base(entity)} ({description})" if 0 < len(description) <= LONGEST_DESCRIPTION else ""


def _with_type(entity: Entity) -> str:
    entity_type = " ".join(entity.entity_type.split())
    return f"{_base(entity)} ({entity_type})" if entity_type else ""


def _with_year(entity: Entity) -> str:
    if entity.year is None:
        return ""
    return f"{_base(entity)} ({entity.year})" if entity.year > 0 else f"{_base(entity)} ({-entity.year} BC)"


def _free_name(entity: Entity, taken: set[str]) -> str:
    name = f"{_base(entity)} ({entity.entity_id})"
    while name in taken:
        name += f" ({entity.entity_id})"
    taken.add(name)
    return name


_PROPOSALS: dict[str, Callable[[Entity], str]] = {
    "name": lambda entity: entity.name,
    "title": lambda entity: entity.title,
    "label": _base,
    "type": _with_type,
    "description": _with_description,
    "year": _with_year,
}
