"""What the benchmarks of a model share: its options, the model with its prompts, and where it ran."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import PreTrainedModel

from benchmarks.linking_inputs import Group, random_groups
from benchmarks.linking_models import SHAPES, Shape, Vocabulary, make_llm
from benchmarks.linking_names import made_up_names, names_in, tokens_of
from benchmarks.linking_wikimel import PromptBook, entity_names, read_mentions, wikimel_groups
from gemel.entities.trie_build import NameTokens
from gemel.llm.tokens import load_tokenizer


@dataclass(frozen=True)
class Inputs:
    """A model, the names that it may generate, and prompts in groups that share their context."""

    llm: PreTrainedModel
    names: NameTokens
    groups: list[Group]

    @classmethod
    def make(cls, settings: argparse.Namespace) -> Inputs:
        """Read what files are given, and make up the rest.

        settings: those of add_model_options, and mode, mentions and names as in `benchmarks.linking`.
        """
        tokenizer = load_tokenizer(str(settings.tokenizer)) if settings.tokenizer else None
        shape, rng = shape_of(settings), np.random.default_rng(0)
        vocabulary = Vocabulary.of(tokenizer) if tokenizer else Vocabulary(shape.vocab)
        llm = make_llm(shape, vocabulary, torch.device(settings.device), getattr(torch, settings.dtype))
        if tokenizer is None:
            names = made_up_names(rng, vocabulary)
        else:
            given = names_in(settings.names) if settings.names else entity_names(settings.mentions_from)
            names = tokens_of(given, tokenizer)
        if not settings.mentions_from:
            return cls(llm, names, random_groups(rng, vocabulary, settings.mode, settings.mentions))
        train, test = (read_mentions(settings.mentions_from, split) for split in ("train", "test"))
        book = PromptBook(train, llm, tokenizer, depth=int(names.lengths.max()) + 1)
        return cls(llm, names, wikimel_groups(book, test, settings.mode, settings.mentions))


def add_model_options(parser: argparse.ArgumentParser, dtypes: Sequence[str]) -> None:
    """Add the options that say which model runs where, and on whose mentions."""
    parser.add_argument("--family", choices=("llama", "opt"), default="llama", help="of the small shape")
    parser.add_argument("--shape", choices=[name for name in SHAPES if name != "small-opt"], default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=dtypes, default="float32")
    parser.add_argument("--mentions-from", type=Path, help="folder with WIKIMEL_{train,dev,test}.json")
    parser.add_argument("--tokenizer", type=Path, help="folder of the tokenizer for names and mentions from files")


def shape_of(settings: argparse.Namespace) -> Shape:
    """The model's size; `small` comes in two families."""
    return SHAPES["small-opt" if (settings.shape, settings.family) == ("small", "opt") else settings.shape]


def setup_facts(settings: argparse.Namespace) -> dict[str, object]:
    """What ran, and where: the last figures of a report."""
    on_cuda = torch.device(settings.device).type == "cuda"
    return {
        "family": shape_of(settings).family,
        "shape": settings.shape,
        "device": torch.cuda.get_device_name(settings.device) if on_cuda else "cpu",
        "dtype": settings.dtype,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
