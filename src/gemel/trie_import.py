"""Import of a published prefix tree: the names that it holds, as entities of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from gemel.llm.names import tokenize_names
from gemel.llm.tokens import load_tokenizer
from gemel.posts.added_titles import THERE, add_titles
from gemel.posts.pickled_trie import read_pickled_trie

NAMES_AT_ONCE = 10_000
MOST_SHOWN = 3


@dataclass
class TrieReport:
    """What became of a tree's names: names = already_there + added + repeated + rejected.

    repeated: names that read as an earlier one. rejected: empty ones, and those that no entity may have.
    split_otherwise: names whose token ids in the tree differ from those that the tokenizer gives them now, which are
    the ones that our trie has; the first ones are in first_split_otherwise.
    """

    names: int = 0
    already_there: int = 0
    added: int = 0
    repeated: int = 0
    rejected: int = 0
    split_otherwise: int = 0
    first_split_otherwise: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """The counts by name."""
        return {name: count for name, count in vars(self).items() if isinstance(count, int)}


def import_trie(source: Path, target: Path, tokenizer: str) -> TrieReport:
    """Add the names of a published prefix tree to the entities of a data set, as add_titles.

    source: a pickle of nested dicts, as read_pickled_trie. tokenizer: folder or hub id of the one that made its ids.
    Raises: DataError if the file is no such tree or there is no such data set, which is then as it was; BackboneError
    if the tokenizer can't be had.
    """
    splitter = load_tokenizer(tokenizer)
    report = TrieReport()
    sequences = read_pickled_trie(source, eos=int(splitter.eos_token_id), vocabulary=len(splitter))
    about: dict[str, Any] = {"source": source.name, "tokenizer": tokenizer}
    made = add_titles(target, _names(sequences, splitter, report), about)
    report.names, report.already_there, report.added = made.read, made.filtered[THERE], made.kept
    report.repeated, report.rejected = made.duplicates, made.rejected
    return report


def _names(
    sequences: Iterator[tuple[int, ...]], tokenizer: PreTrainedTokenizerBase, report: TrieReport
) -> Iterator[str]:
    """Each name as text with plain white space, as the catalog has it."""
    while some := list(islice(sequences, NAMES_AT_ONCE)):
        texts = (tokenizer.decode(list(ids), clean_up_tokenization_spaces=False) for ids in some)
        names = [" ".join(str(text).split()) for text in texts]
        _compare(some, names, tokenizer, report)
        yield from names


def _compare(
    sequences: Sequence[tuple[int, ...]], names: Sequence[str], tokenizer: PreTrainedTokenizerBase, report: TrieReport
) -> None:
    now = tokenize_names(names, tokenizer).to_lists()
    other = [name for name, ids, stored in zip(names, now, sequences, strict=True) if tuple(ids) != stored]
    report.split_otherwise += len(other)
    report.first_split_otherwise += other[: MOST_SHOWN - len(report.first_split_otherwise)]
