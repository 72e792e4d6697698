"""Prompts of WikiMEL for `benchmarks.linking`: real mentions, each behind the 16 demonstrations chosen for it.

Images are not at hand; random soft tokens stand where theirs would, so that prompts have their real length.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.linking_inputs import DEMONSTRATIONS, POSTS_PER_MENTION, Group
from gemel.llm.backbone import context_limit
from gemel.llm.segments import Prompt, Segment
from gemel.retrieval.choice import Chooser, Corpus
from gemel.retrieval.scorers import make_scorer
from gemel.tasks.linking.prompt import build_prompt, demonstration_segment, query_segment

SOFT_TOKENS = 4


@dataclass(frozen=True)
class Mention:
    """A mention of WikiMEL, and the entity that it stands for."""

    text: str
    mention: str
    name: str
    entity_id: str


def read_mentions(folder: Path, split: str) -> list[Mention]:
    """The mentions of a split, from WIKIMEL_{split}.json."""
    rows = json.loads((folder / f"WIKIMEL_{split}.json").read_text(encoding="utf-8"))
    return [Mention(row["sentence"], row["mentions"], row["entities"], row["answer"]) for row in rows]


def entity_names(folder: Path) -> list[str]:
    """The names of all entities of the data set."""
    return sorted({mention.name for split in ("train", "dev", "test") for mention in read_mentions(folder, split)})


class PromptBook:
    """Builds prompts as the predictor does; equal mention strings with equal demonstrations share a context."""

    def __init__(self, train: list[Mention], llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, depth: int):
        """depth: of the trie; prompts leave so much room in the model's context."""
        corpus = Corpus([row.mention for row in train], [row.text for row in train], [row.entity_id for row in train])
        scorer = make_scorer("bm25", corpus.mentions, seed=0, encoder="")
        self._train, self._chooser = train, Chooser(corpus, scorer, DEMONSTRATIONS)
        self._tokenizer, self._room = tokenizer, context_limit(llm) - depth
        self._weight = llm.get_input_embeddings().weight
        self._generator = torch.Generator().manual_seed(0)
        self._demonstration = cache(self._read_demonstration)
        self._contexts: dict[tuple[str, tuple[int, ...]], tuple[Segment, ...]] = {}

    def prompt(self, mention: str, text: str) -> Prompt:
        """The prompt of one mention."""
        rows = self._chooser.choose(mention, text)
        asked = query_segment(text, mention, self._soft_tokens(), self._encode)
        *context, query = build_prompt([self._demonstration(row) for row in rows], asked, self._room)
        return Prompt((query,), self._contexts.setdefault((mention, rows[: len(context)]), tuple(context)))

    def _read_demonstration(self, row: int) -> Segment:
        shown = self._train[row]
        return demonstration_segment(shown.text, shown.mention, shown.name, self._soft_tokens(), self._encode)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _soft_tokens(self) -> Tensor:
        drawn = torch.randn(SOFT_TOKENS, self._weight.shape[1], generator=self._generator)
        return drawn.to(self._weight) * self._weight.std()


def wikimel_groups(book: PromptBook, test: list[Mention], mode: str, mentions: int) -> list[Group]:
    """Prompts of test mentions, about as many as asked for.

    mode: distinct: of different strings. wikimel: all mentions of some strings, so chosen that as many repeat another
    as in the whole test set. archive: ten posts for each string, whose texts are taken from the whole test set.
    """
    rng = np.random.default_rng(0)
    strings: dict[str, list[str]] = {}
    for row in test:
        strings.setdefault(row.mention, []).append(row.text)
    order = [list(strings)[place] for place in rng.permutation(len(strings))]
    if mode == "wikimel":
        sampled = systematic_sample(order, strings, mentions)
        return [[book.prompt(mention, text) for text in strings[mention]] for mention in sampled]
    if mode == "distinct":
        return [[book.prompt(mention, strings[mention][0])] for mention in order[:mentions]]
    archive = []
    for mention in order[: -(-mentions // POSTS_PER_MENTION)]:
        rows = rng.choice(len(test), POSTS_PER_MENTION, replace=False)
        archive.append([book.prompt(mention, test[row].text) for row in rows])
    return archive


def systematic_sample(order: list[str], strings: dict[str, list[str]], mentions: int) -> list[str]:
    """Every n-th string in order of how often it occurs; of these samples the one most like the whole set.

    order: the strings in the order that the result is to have. Alike is what has the same share of repeated mentions.
    """
    by_count = sorted(order, key=lambda mention: len(strings[mention]))
    step = max(1, round(sum(map(len, strings.values())) / mentions))

    def repeated(sample: list[str]) -> float:
        return 1 - len(sample) / sum(len(strings[mention]) for mention in sample)

    samples = [by_count[start::step] for start in range(step)]
    taken = set(min(samples, key=lambda sample: abs(repeated(sample) - repeated(order))))
    return [mention for mention in order if mention in taken]
