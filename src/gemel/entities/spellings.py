"""What the LLM may write for an entity: its name, and the aliases that lead to it alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.entities.catalog import Catalog
from gemel.entities.trie import BoolArray, IntArray
from gemel.entities.trie_build import NameTokens

# Why an alias is left out.
ANOTHERS_NAME, SHARED, TOKENS = "anothers_name", "shared", "tokens"


@dataclass(frozen=True)
class Spellings:
    """Strings in the order of a trie: the names of all entities in catalog order, then their aliases.

    owners: index of the entity of each, (spellings,), int32; None where there are names alone. names: how many names.
    left_out: aliases that lead to no entity alone, by reason.
    """

    texts: Sequence[str]
    owners: IntArray | None
    names: int
    left_out: Mapping[str, int] = field(default_factory=dict)

    def facts(self) -> dict[str, object]:
        """What the trie's manifest says of the aliases; nothing where there are names alone."""
        if self.owners is None:
            return {}
        return {"aliases": len(self.texts) - self.names, "aliases_left_out": dict(self.left_out)}


def spellings_of(catalog: Catalog, *, aliases: bool) -> Spellings:
    """The names and, if wanted, behind them the labels and aliases that lead to exactly one entity.

    An alias that is the name of another entity, or a label or alias of two, tells none from the other and is left out.
    """
    if not aliases:
        return Spellings(catalog.names, None, len(catalog))
    pairs = dict.fromkeys((" ".join(text.split()), owner) for owner, text in catalog.other_names() if text.strip())
    entities_of = Counter(text for text, _ in pairs)
    index_of_name = {name: index for index, name in enumerate(catalog.names)}
    left_out = dict.fromkeys((ANOTHERS_NAME, SHARED, TOKENS), 0)
    kept: list[tuple[str, int]] = []
    for text, owner in pairs:
        if text in index_of_name:
            left_out[ANOTHERS_NAME] += index_of_name[text] != owner
        elif entities_of[text] > 1:
            left_out[SHARED] += 1
        else:
            kept.append((text, owner))
    owners = np.array([*range(len(catalog)), *(owner for _, owner in kept)], dtype=np.int32)
    return Spellings((*catalog.names, *(text for text, _ in kept)), owners, len(catalog), left_out)


def readable(spellings: Spellings, tokens: NameTokens) -> tuple[Spellings, NameTokens]:
    """Leave out aliases that can't be in the trie: without tokens, or with those of another string.

    One that is longer than the longest name is left out, too: it would take room from every prompt. tokens: of the
    spellings, one each. Names always stay.
    """
    if spellings.owners is None:
        return spellings, tokens
    lengths, names = tokens.lengths, spellings.names
    kept = (lengths > 0) & (lengths <= lengths[:names].max()) & _alone(tokens)
    kept[:names] = True
    texts = [text for text, stays in zip(spellings.texts, kept, strict=True) if stays]
    left_out = dict(spellings.left_out) | {TOKENS: int((~kept).sum())}
    flat = tokens.token_ids[np.repeat(kept, lengths)]
    return Spellings(texts, spellings.owners[kept], names, left_out), NameTokens(flat, lengths[kept])


def _alone(tokens: NameTokens) -> BoolArray:
    """Whether no other string has the same tokens, (names,); told by a hash of 64 bits."""
    lengths = tokens.lengths.astype(np.int64)
    weights = np.random.default_rng(0).integers(2**64, size=int(lengths.max()), dtype=np.uint64)
    places = np.arange(len(tokens.token_ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    hashes = np.zeros(len(lengths), dtype=np.uint64)
    weighted = (tokens.token_ids.astype(np.uint64) + np.uint64(1)) * weights[places]
    np.add.at(hashes, np.repeat(np.arange(len(lengths)), lengths), weighted)
    _, first, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    alone: BoolArray = counts[first] == 1
    return alone
