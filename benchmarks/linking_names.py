"""Names for `benchmarks.linking`, as token ids: of files, recombined from them, or made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from benchmarks.linking_models import FIRST_PIECE, Vocabulary
from benchmarks.names import distinct, read_names, recombine
from gemel.entities.trie_build import NameTokens
from gemel.llm.names import tokenize_names

NAMES = 5_000
# Names are recombined from these: given names, family names, places, kinds.
WORDS = """
Ada Boris Clara Dmitri Elena Farid Greta Hugo Ingrid Jorge Keiko Leila Marcus Nadia Oscar Priya
Abernathy Bianchi Castellanos Dubrovsky Eriksson Fitzgerald Hashimoto Ivanova Kowalczyk Lindqvist Montgomery Okonkwo
Amazon Bristol Cordoba Dover Eureka Florence Georgia Hamilton Jaguar Kingston Lincoln Mercury Orion Phoenix Saturn Troy
Airport Bridge Cathedral County Football Club Museum Observatory Orchestra Railway River University Vineyard Windmill
"""


def made_up_names(rng: np.random.Generator, vocabulary: Vocabulary) -> NameTokens:
    """Names recombined from WORDS, cut into pieces of three letters."""
    lists = [line.split() for line in WORDS.strip().splitlines()]
    texts: set[str] = set()
    while len(texts) < NAMES:
        given, family, place, kind = (str(rng.choice(words)) for words in lists)
        patterns = (f"{given} {family}", f"{place} {kind}", f"{given} {family} {kind}", f"{place} {family} {kind}")
        texts.add(patterns[rng.integers(len(patterns))])
    words = sorted({word for text in texts for word in text.split()})
    pieces = sorted({word[at : at + 3] for word in words for at in range(0, len(word), 3)})
    picked = rng.choice(np.arange(FIRST_PIECE, vocabulary.size), len(pieces), replace=False).tolist()
    ids = dict(zip(pieces, picked, strict=True))
    return NameTokens.of(
        [[ids[word[at : at + 3]] for word in text.split() for at in range(0, len(word), 3)] for text in sorted(texts)]
    )


def random_names(rng: np.random.Generator, vocabulary: Vocabulary, size: int) -> NameTokens:
    """As many names of two random words as are asked for; a word is one to three random tokens."""
    words = [
        rng.integers(FIRST_PIECE, vocabulary.size, size=length).tolist() for length in rng.integers(1, 4, size=20_000)
    ]
    # A few names too many, as two may have the same tokens.
    pairs = rng.integers(len(words), size=(size + size // 100 + 100, 2)).tolist()
    return first_names(distinct([NameTokens.of([words[front] + words[last] for front, last in pairs])]), size)


def names_in(paths: Sequence[Path]) -> list[str]:
    """The distinct names of some files in random order, so that the first of them are as varied as all."""
    names = read_names(paths)
    return [names[place] for place in np.random.default_rng(0).permutation(len(names))]


def tokens_of(names: Sequence[str], tokenizer: PreTrainedTokenizerBase, size: int | None = None) -> NameTokens:
    """Names as tokens. size: how many; where there are fewer, more are recombined from them."""
    size = size or len(names)
    return distinct([tokenize_names(recombine(names, size).texts(0, size), tokenizer)])


def first_names(names: NameTokens, size: int) -> NameTokens:
    """The first names, at most `size`."""
    lengths = names.lengths[:size]
    return NameTokens(names.token_ids[: lengths.sum()], lengths)
