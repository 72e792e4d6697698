"""What the sample world's LLMs learn from: endless prompts of the very shape that linking uses.

A caption stands where the soft tokens will, and the names after `[Answer]` are to be learned. Two abilities are asked
for: to remember who is who (mention + caption -> name), and to copy a name that was never met from a demonstration
whose caption fits. For the latter, most prompts hold made-up entities. No post of the data set occurs, nor the name of
a `novel` inhabitant.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from gemel.tasks.linking.prompt import question
from sample.pictures import KINDS, random_scene
from sample.world import World, invent_name, invented_names, write_text

SEED = 88_001
VOCABULARY = 6_000
END = "<end>"
IGNORED = -100
MADE_UP_POPULARITY = 300


@dataclass(frozen=True)
class Lesson:
    """A part of the pretraining.

    strange: share of prompts in which all entities are made up. retrieved: share of the others whose demonstrations
    have the query's mention. blind: share of prompts without any caption; blind_segments: of segments without one.
    bare: texts are the mention alone. smudge: how far captions are blurred at the most, see `smudged`.
    demonstrations: how many there may be; cast: how many made-up entities.
    """

    steps: int
    demonstrations: tuple[int, ...]
    cast: tuple[int, ...]
    strange: float
    retrieved: float = 0.8
    blind: float = 0.12
    blind_segments: float = 0.08
    bare: bool = False
    smudge: float = 0.0


# What soft tokens will be like: a linear map of an image hits no caption exactly, others are mixed in.
HARDENING = (Lesson(steps=600, demonstrations=(0, 1, 2, 3, 4, 4, 4), cast=(0, 1, 1, 2, 3), strange=0.3, smudge=1.5),)

# Copying comes first, alone and on short prompts: once the world is known by heart, there is little left to copy for.
LESSONS = (
    Lesson(steps=600, demonstrations=(5,), cast=(2, 3), strange=1.0, blind=0.0, blind_segments=0.0, bare=True),
    Lesson(steps=1_200, demonstrations=(0, 1, 2, 3, 4, 4, 4, 6), cast=(0, 1, 1, 2, 3), strange=0.3),
)


@dataclass(frozen=True)
class Known:
    """Who is meant: the name that goes with a kind, for one mention."""

    mention: str
    kind: str
    name: str
    popularity: int

    @property
    def made_up(self) -> bool:
        """Made-up entities live in one prompt only."""
        return self.popularity == 0


def make_tokenizer(world: World) -> PreTrainedTokenizerFast:
    """A byte-level BPE of 6,000 tokens, learned from the world's names, texts and captions.

    The fixed phrases of the prompt are one token each, which makes prompts half as long.
    """
    rng = random.Random(SEED)
    names = [one.name for one in world.inhabitants] + invented_names(world, 5_000, SEED, set())
    texts = [write_text(rng.choice(list(world.groups)), rng.choice(KINDS), rng) for _ in range(4_000)]
    captions = [" " + random_scene(rng.choice(KINDS), rng).caption for _ in range(2_000)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[END]
    )
    tokenizer.train_from_iterator([*names, *texts, *captions], trainer)
    phrases = question("\0", "\1").replace("\0", "\1").split("\1")
    tokenizer.add_tokens([AddedToken(phrase, normalized=False) for phrase in phrases])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)


class Batch(NamedTuple):
    """Prompts of one step, (size, length) each, right-padded.

    ids: tokens. labels: the names' tokens, else IGNORED. kinds: index of the kind that a segment shows, from the last
    token of its question to the last of its name, where it has a caption; else IGNORED. captions: 1 at a
    caption's tokens.
    """

    ids: Tensor
    labels: Tensor
    kinds: Tensor
    captions: Tensor


class Curriculum:
    """Endless prompts for pretraining, from seeds of its own."""

    def __init__(self, world: World, tokenizer: PreTrainedTokenizerFast, forbidden_texts: set[str], seed: int) -> None:
        self._world, self._tokenizer, self._forbidden = world, tokenizer, forbidden_texts
        self.lesson = LESSONS[0]
        self._rng = random.Random(seed)
        self._known = {
            mention: [Known(mention, one.kind, one.name, one.popularity) for one in group if one.role != "novel"]
            for mention, group in world.groups.items()
        }
        self._real_names = {one.name for one in world.inhabitants}
        self._mentions = list(self._known)
        self._weights = [sum(known.popularity for known in group) ** 0.5 for group in self._known.values()]

    def batch(self, size: int) -> Batch:
        """Draw `size` prompts of like length."""
        # One number of demonstrations for the whole batch: its prompts are of like length, so little is padded.
        count = self._rng.choice(self.lesson.demonstrations)
        prompts = [self._prompt(count) for _ in range(size)]
        length = max(len(ids) for ids, *_ in prompts)
        end = self._tokenizer.eos_token_id
        return Batch(
            *(
                torch.tensor([row + [filler] * (length - len(row)) for row in rows])
                for rows, filler in zip(zip(*prompts, strict=True), (end, IGNORED, IGNORED, 0), strict=True)
            )
        )

    def _prompt(self, count: int) -> tuple[list[int], list[int], list[int], list[int]]:
        blind = self._rng.random() < self.lesson.blind
        shown, asked = self._choose(count)
        ids: list[int] = []
        labels: list[int] = []
        kinds: list[int] = []
        captions: list[int] = []
        met: set[str] = set()
        for one in [*shown, asked]:
            captioned = not blind and self._rng.random() >= self.lesson.blind_segments
            caption = self._encode(f" {random_scene(one.kind, self._rng).caption}") if captioned else []
            before = caption + self._question(one, captioned)
            name = self._encode(one.name)
            # A made-up name can't be known before it was shown, so its first sight is not a lesson.
            lesson = name if not one.made_up or one.name in met else [IGNORED] * len(name)
            kind = KINDS.index(one.kind) if captioned else IGNORED
            ids += before + name + self._encode("\n")
            labels += [IGNORED] * len(before) + lesson + [IGNORED]
            kinds += [IGNORED] * (len(before) - 1) + [kind] * (len(name) + 1) + [IGNORED]
            captions += [1] * len(caption) + [0] * (len(ids) - len(captions) - len(caption))
            met.add(one.name)
        ids[-1] = labels[-1] = self._tokenizer.eos_token_id
        return ids, labels, kinds, captions

    def _choose(self, count: int) -> tuple[list[Known], Known]:
        """The entities of the demonstrations, and the one asked for: known by heart, or shown."""
        rng = self._rng
        mention = rng.choices(self._mentions, self._weights)[0]
        strange = count > 0 and rng.random() < self.lesson.strange
        cast = self._made_up(mention, max(2, rng.choice(self.lesson.cast)) if strange else rng.choice(self.lesson.cast))
        if not strange:
            cast += self._known[mention]
        if strange or rng.random() < self.lesson.retrieved:
            shown = rng.sample(cast, min(count, len(cast)))
            shown += rng.choices(cast, k=count - len(shown))
            rng.shuffle(shown)
        else:
            shown = [rng.choice(self._known[mention]) for mention in rng.choices(self._mentions, k=count)]
        possible = [one for one in cast if not one.made_up or one in shown]
        weights = [one.popularity or MADE_UP_POPULARITY for one in possible]
        return shown, rng.choices(possible, weights)[0] if rng.random() < 0.5 else rng.choice(possible)

    def _made_up(self, mention: str, count: int) -> list[Known]:
        """Entities that live in one prompt only, of different kinds, none of them a kind of the mention's real ones."""
        rng = self._rng
        taken = {one.kind for one in self._world.groups[mention]}
        kinds = rng.sample([kind for kind in KINDS if kind not in taken], count)
        return [Known(mention, kind, self._invented(mention), 0) for kind in kinds]

    def _invented(self, mention: str) -> str:
        """A made-up name; none that is real by chance, as a mention alone may be."""
        name = invent_name(self._world, mention, self._rng)
        while name in self._real_names:
            name = invent_name(self._world, mention, self._rng)
        return name

    def _question(self, one: Known, captioned: bool) -> list[int]:
        rng = self._rng
        hinted = rng.random() < (0.1 if captioned else 0.35)
        text = one.mention if self.lesson.bare else write_text(one.mention, one.kind if hinted else None, rng)
        while text in self._forbidden:
            text = write_text(one.mention, one.kind if hinted else None, rng)
        return self._encode(question(text, one.mention))

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer._tokenizer.encode(text, add_special_tokens=False).ids
