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
from gemel.core.schema import Mention
from gemel.llm.backbone import context_limit
from gemel.llm.segments import Prompt, Segment
from gemel.retrieval.choice import Chooser, Corpus
from gemel.retrieval.scorers import make_scorer
from gemel.tasks.linking.prompt import build_prompt, demonstration_segment, query_segment

SOFT_TOKENS = 4


@dataclass(frozen=True)
class Solved:
    """A mention of WikiMEL, and the entity that it stands for."""

    text: str
    mention: str
    name: str
    entity_id: str


def read_mentions(folder: Path, split: str) -> list[Solved]:
    """The mentions of a split, from WIKIMEL_{split}.json."""
    rows = json.loads((folder / f"WIKIMEL_{split}.json").read_text(encoding="utf-8"))
    return [Solved(row["sentence"], row["mentions"], row["entities"], row["answer"]) for row in rows]


def entity_names(folder: Path) -> list[str]:
    """The names of all entities of the data set."""
    return sorted({mention.name for split in ("train", "dev", "test") for mention in read_mentions(folder, split)})


class PromptBook:
    """Builds prompts as the predictor does; those with equal demonstrations share a context."""

    def __init__(self, train: list[Solved], llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, depth: int):
        """depth: of the trie; prompts leave so much room in the model's context."""
        corpus = Corpus([row.mention for row in train], [row.text for row in train], [row.entity_id for row in train])
        scorer = make_scorer("bm25", corpus.mentions, seed=0, encoder="")
        self._train, self._chooser = train, Chooser(corpus, scorer, DEMONSTRATIONS)
        self._tokenizer, self._room = tokenizer, context_limit(llm) - depth
        self._weight = llm.get_input_embeddings().weight
        self._generator = torch.Generator().manual_seed(0)
        self._demonstration = cache(self._read_demonstration)
        self._contexts: dict[tuple[int, ...], tuple[Segment, ...]] = {}

    def choose(self, mention: str, text: str) -> tuple[int, ...]:
        """The demonstrations of one mention, as rows of the training split."""
        return self._chooser.choose(mention, text)

    def prompt(self, mention: str, text: str) -> Prompt:
        """The prompt of one mention."""
        rows = self.choose(mention, text)
        asked = query_segment(text, Mention(mention), self._soft_tokens(), self._encode, self._room)
        *context, query = build_prompt([self._demonstration(row) for row in rows], asked, self._room)
        return Prompt((query,), self._contexts.setdefault(rows[: len(context)], tuple(context)))

    def _read_demonstration(self, row: int) -> Segment:
        shown = self._train[row]
        return demonstration_segment(shown.text, shown.mention, shown.name, self._soft_tokens(), self._encode)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _soft_tokens(self) -> Tensor:
        drawn = torch.randn(SOFT_TOKENS, self._weight.shape[1], generator=self._generator)
        return drawn.to(self._weight) * self._weight.std()


def wikimel_groups(book: PromptBook, test: list[Solved], mode: str, mentions: int) -> list[Group]:
    """Prompts of test mentions, about as many as asked for.

    mode: distinct: of different demonstrations. wikimel: a sample in which as many share their demonstrations as in the
    whole test set. archive: ten posts for a mention string, whose texts are taken from the whole test set.
    """
    rng = np.random.default_rng(0)
    sharing: dict[tuple[int, ...], list[Solved]] = {}
    for place in rng.permutation(len(test)):
        sharing.setdefault(book.choose(test[place].mention, test[place].text), []).append(test[place])
    groups = list(sharing.values())
    if mode == "wikimel":
        sampled = sample_alike(groups, max(1, round(len(test) / mentions)))
        return [[book.prompt(row.mention, row.text) for row in group] for group in sampled]
    if mode == "distinct":
        return [[book.prompt(row.mention, row.text)] for row, *_ in groups[:mentions]]
    archive = []
    for row, *_ in groups[: -(-mentions // POSTS_PER_MENTION)]:
        posts = rng.choice(len(test), POSTS_PER_MENTION, replace=False)
        archive.append([book.prompt(row.mention, test[post].text) for post in posts])
    return archive


def sample_alike(groups: list[list[Solved]], step: int) -> list[list[Solved]]:
    """One mention in `step`: every step-th group in order of size, and of a group larger than that its share."""
    small = sorted((group for group in groups if len(group) <= step), key=len)
    large = [group[: round(len(group) / step)] for group in groups if len(group) > step]
    return [*small[step // 2 :: step], *large]
