"""Entities that a mention may stand for, as subsets of the trie."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gemel.core.errors import DataError, RequestError
from gemel.entities.catalog import Catalog
from gemel.entities.subset import TrieSubset, subset_of
from gemel.entities.trie import PackedTrie

_KEPT = 1_024


class Choices:
    """Makes subsets of the trie from ids and types, each once."""

    def __init__(self, catalog: Catalog, trie: PackedTrie) -> None:
        """catalog: its order is that of the trie's entities."""
        self._catalog, self._trie = catalog, trie
        self.among = lru_cache(maxsize=_KEPT)(self._among)

    def _among(self, entity_ids: tuple[str, ...] = (), entity_type: str = "") -> TrieSubset | None:
        """The names of some entities, with their aliases if the trie has these; None: all names.

        entity_ids: empty for any. entity_type: "" for any.
        Raises: RequestError if the catalog lacks one of the entities or the type, or none is of the type.
        """
        try:
            listed = np.unique([self._catalog.index(each) for each in entity_ids]).astype(np.int64)
            typed = self._catalog.of_type(entity_type) if entity_type else None
        except DataError as error:
            raise RequestError(f"can't restrict the choice: {error}") from None
        if typed is None:
            return subset_of(self._trie, listed) if entity_ids else None
        names = np.intersect1d(listed, typed) if entity_ids else typed
        if not len(names):
            raise RequestError(
                f"none of the {len(listed)} candidates is of type {entity_type!r}; give one of them alone"
            )
        return subset_of(self._trie, names)
