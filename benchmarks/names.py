"""Names for the benchmarks, as token ids: those of files, and as many more as a size lacks, recombined from them.

A recombined name is the front of one name with the last word of another. Names are kept as pairs of numbers and become
text a piece at a time: twenty million strings and a set of them would take more memory than any trie.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gemel.entities.trie_build import NameTokens

NAMES_AT_ONCE = 50_000
FACTS = "tokens.json"

Numbers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class NamePairs:
    """Distinct names, each of a front and an end that make it in only one way.

    fronts, ends: distinct texts; an end is a space and a word, and the first one is empty. pairs: for each name
    front * len(ends) + end, (names,), int64.
    """

    fronts: list[str]
    ends: list[str]
    pairs: Numbers

    def texts(self, start: int, stop: int) -> list[str]:
        """Names start … stop - 1."""
        fronts, ends = np.divmod(self.pairs[start:stop], len(self.ends))
        return [self.fronts[front] + self.ends[end] for front, end in zip(fronts.tolist(), ends.tolist(), strict=True)]


def read_names(paths: Sequence[Path]) -> list[str]:
    """The distinct names of some files: one a line, plain or .gz, or labels of a .jsonl."""
    names: list[str] = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            lines = (line.rstrip("\n") for line in file)
            names += [json.loads(line)["label"] if path.suffix == ".jsonl" else line for line in lines]
    return list(dict.fromkeys(name for name in names if name.strip()))


def recombine(names: Sequence[str], size: int) -> NamePairs:
    """The names, in their order, and behind them as many made from them as the size lacks."""
    rng = np.random.default_rng(0)
    fronts, front = _numbered(name.rsplit(" ", 1)[0] for name in names)
    ends, end = _numbered(["", *(f" {name.rsplit(' ', 1)[-1]}" for name in names)])
    end = end[1:]
    has_space = np.array([" " in name for name in names])
    pairs = (front * len(ends) + np.where(has_space, end, 0))[:size]
    while len(pairs) < size:
        missing = size - len(pairs)
        picks = rng.integers(len(names), size=(2, missing + missing // 8 + 100))
        pairs = np.concatenate([pairs, front[picks[0]] * len(ends) + end[picks[1]]])
        pairs = pairs[_first_places(pairs)][:size]
    return NamePairs(fronts, ends, pairs)


def tokenize(names: Sequence[Path], size: int, tokenizer: str, folder: Path) -> dict[str, Any]:
    """Write token ids as `tokens_in` reads them; names of the same tokens go in once, for a trie takes no second."""
    from gemel.llm.names import tokenize_names
    from gemel.llm.tokens import load_tokenizer

    wanted, loaded = recombine(read_names(names), size), load_tokenizer(tokenizer)
    start = time.perf_counter()
    pieces = []
    for first in range(0, size, NAMES_AT_ONCE):
        tokens = tokenize_names(wanted.texts(first, first + NAMES_AT_ONCE), loaded)
        pieces.append(tokens)
    seconds = time.perf_counter() - start
    found = distinct(pieces)
    np.save(folder / "ids.npy", found.token_ids)
    np.save(folder / "lengths.npy", found.lengths)
    facts: dict[str, Any] = {"tokenizer": Path(tokenizer).name, "files": [path.name for path in names], "asked": size}
    facts |= {"names": len(found.lengths), "tokenize_s": seconds}
    (folder / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return facts


def tokens_in(folder: Path, size: int | None = None) -> NameTokens:
    """The first names that `tokenize` wrote, memory-mapped."""
    lengths = np.load(folder / "lengths.npy")[:size]
    return NameTokens(np.load(folder / "ids.npy", mmap_mode="r")[: lengths.sum(dtype=np.int64)], lengths)


def _numbered(texts: Iterable[str]) -> tuple[list[str], Numbers]:
    """The distinct texts, and the number of each text among them."""
    numbers: dict[str, int] = {}
    found = np.array([numbers.setdefault(text, len(numbers)) for text in texts])
    return list(numbers), found


def _first_places(values: Numbers) -> Numbers:
    """Where each distinct value stands first, in ascending order."""
    return np.sort(np.unique(values, return_index=True)[1])


def distinct(pieces: Sequence[NameTokens]) -> NameTokens:
    """Leave out what has no token or another's; the few names that only hash alike are no loss."""
    pieces = [NameTokens(piece.token_ids, piece.lengths[piece.lengths > 0]) for piece in pieces]
    weights = np.random.default_rng(1).integers(2**64, size=2**15, dtype=np.uint64)
    tokens, hashes = NameTokens.joined(pieces), [_hashes(piece, weights) for piece in pieces]
    kept = np.zeros(len(tokens.lengths), dtype=np.bool_)
    kept[_first_places(np.concatenate(hashes))] = True
    return NameTokens(tokens.token_ids[np.repeat(kept, tokens.lengths)], tokens.lengths[kept])


def _hashes(tokens: NameTokens, weights: Numbers) -> Numbers:
    starts = np.cumsum(tokens.lengths) - tokens.lengths
    places = np.arange(len(tokens.token_ids)) - np.repeat(starts, tokens.lengths)
    return np.add.reduceat((tokens.token_ids.astype(np.uint64) + np.uint64(1)) * weights[places], starts)
