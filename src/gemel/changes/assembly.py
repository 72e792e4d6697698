"""The contents of a release with changes of its entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from gemel.bundle import Contents
from gemel.entities.catalog import Catalog
from gemel.entities.changed import EntityChange, changed_catalog
from gemel.entities.spellings import readable, spellings_of
from gemel.entities.trie import PackedTrie
from gemel.entities.trie_build import build_trie
from gemel.entities.trie_update import Tokenize, update_trie
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA


@dataclass(frozen=True)
class Changed:
    """Contents with changes, and what these came to.

    counts: of entities added, renamed, removed and redirected; of demonstrations that went with an entity, and of
    those that show a merged one's living entity. unfit: entity id -> why its change was left out or made otherwise.
    """

    contents: Contents
    counts: Mapping[str, int]
    unfit: Mapping[str, str]


def with_entity_changes(base: Contents, changes: Iterable[EntityChange], tokenize: Tokenize) -> Changed:
    """Apply changes of entities to the catalog, the trie and the demonstrations.

    tokenize: called only if there are new names, or aliases in the trie.
    Raises: DataError as changed_catalog and update_trie.
    """
    changed = changed_catalog(base.catalog, changes)
    catalog = changed.catalog
    trie = base.trie if catalog is base.catalog else _trie(base, catalog, tokenize)
    shown = demonstrations_of(base.demonstrations, catalog) if catalog is not base.catalog else base.demonstrations
    counts = {
        **changed.done,
        "demonstrations_removed": base.demonstrations.height - shown.height,
        "demonstrations_redirected": int(base.demonstrations["entity_id"].is_in(list(catalog.redirects)).sum()),
    }
    return Changed(replace(base, catalog=catalog, trie=trie, demonstrations=shown), counts, changed.unfit)


def _trie(base: Contents, catalog: Catalog, tokenize: Tokenize) -> PackedTrie:
    if base.trie.owners is not None:
        # Which aliases stay depends on all the others, so that all are read again.
        every = spellings_of(catalog, aliases=True)
        spellings, tokens = readable(every, tokenize(every.texts))
        return build_trie(tokens, spellings.owners)
    if catalog.names == base.catalog.names:
        return base.trie
    return update_trie(base.trie, base.catalog.names, catalog.names, tokenize)


def demonstrations_of(demonstrations: pl.DataFrame, catalog: Catalog) -> pl.DataFrame:
    """Demonstrations with the ids and names of a catalog, in their order; those of entities that it lacks go."""
    living = pl.col("entity_id").replace(catalog.redirects) if catalog.redirects else pl.col("entity_id")
    names = catalog.table.select("entity_id", "name")
    return (
        demonstrations.drop("name")
        .with_columns(living)
        .join(names, on="entity_id", how="inner", maintain_order="left")
        .select(*CORPUS_SCHEMA)
    )
