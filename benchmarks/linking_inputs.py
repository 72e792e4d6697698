"""Names and prompts for `benchmarks.linking`, made up where no files are given.

Prompts come in groups; those of a group hold the same context, as mentions with the same string do.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from benchmarks.linking_models import FIRST_PIECE, Vocabulary
from benchmarks.trie import distinct_names, read_names, recombine
from gemel.entities.trie_build import NameTokens
from gemel.llm.names import tokenize_names
from gemel.llm.segments import Prompt, Segment

Group = list[Prompt]

NAMES, DEMONSTRATIONS = 5_000, 16
DEMONSTRATION_TOKENS = (50, 62)
POSTS_PER_MENTION = 10
# Sizes of groups in turn: as in WikiMEL's test set, one mention in seven repeats another.
REPEATING = (1, 1, 1, 1, 1, 2)
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
    return first_names(distinct_names(NameTokens.of([words[front] + words[last] for front, last in pairs])), size)


def names_from(
    texts: Iterable[str] | list[Path], tokenizer: PreTrainedTokenizerBase, size: int | None = None
) -> NameTokens:
    """Names as tokens, those with the same tokens once.

    texts: names, or files of them, which are read in random order. size: how many; more are recombined from them.
    """
    given = list(texts)
    if given and isinstance(given[0], Path):
        given = read_names(given)
        given = [given[place] for place in np.random.default_rng(0).permutation(len(given))]
    return distinct_names(tokenize_names(recombine(given, size or len(given)), tokenizer))


def first_names(names: NameTokens, size: int) -> NameTokens:
    """The first names, at most `size`."""
    lengths = names.lengths[:size]
    return NameTokens(names.token_ids[: lengths.sum()], lengths)


def group_sizes(mode: str, mentions: int) -> list[int]:
    """How many mentions share each context, until there are as many mentions as asked for (archive: or a few more)."""
    sizes: list[int] = []
    turn = {"distinct": (1,), "wikimel": REPEATING, "archive": (POSTS_PER_MENTION,)}[mode]
    while sum(sizes) < mentions:
        sizes.append(turn[len(sizes) % len(turn)])
    return sizes


def random_groups(rng: np.random.Generator, vocabulary: Vocabulary, mode: str, mentions: int) -> list[Group]:
    """Prompts of random tokens, as long as 16 demonstrations and a query."""

    def segment() -> Segment:
        ids = rng.integers(FIRST_PIECE, vocabulary.size, size=rng.integers(*DEMONSTRATION_TOKENS))
        return Segment(tuple(ids.tolist()))

    groups = []
    for size in group_sizes(mode, mentions):
        context = tuple(segment() for _ in range(DEMONSTRATIONS))
        groups.append([Prompt((segment(),), context) for _ in range(size)])
    return groups
