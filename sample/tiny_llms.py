"""The recipe of `tiny-llama` and its kin: small LLMs of the families Llama and OPT that know the sample world.

All take the same course over the prompts of `sample.curriculum`; in the end each is asked to finish new ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM, OPTForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from sample.curriculum import HARDENING, IGNORED, LESSONS, SEED, Batch, Curriculum, Lesson, make_tokenizer
from sample.pictures import KINDS
from sample.world import World

BATCH, PEAK_RATE = 32, 2e-3
CONTEXT = 1024
SCAFFOLD_WEIGHT = 0.3


@dataclass(frozen=True)
class Member:
    """A model to pretrain.

    family: its class. shape: what its config states beside the vocabulary. share: of each lesson's steps.
    """

    family: type[PreTrainedModel]
    shape: Mapping[str, Any]
    share: float = 0.5


def _opt(hidden: int, layers: int, embedding: int | None = None) -> Member:
    """embedding: width of the token embeddings, where it is narrower than the hidden states."""
    shape = {
        "hidden_size": hidden,
        "ffn_dim": 4 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "word_embed_proj_dim": embedding or hidden,
        "dropout": 0.0,
    }
    return Member(OPTForCausalLM, shape)


_LLAMA = {"hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 4, "num_attention_heads": 4}
# tiny-llama plays the part of Llama 2. LLaMA and OPT read less than that, so theirs take half the course.
MEMBERS = {
    "tiny-llama": Member(LlamaForCausalLM, _LLAMA, share=1.0),
    "tiny-llama-1": Member(LlamaForCausalLM, _LLAMA),
    "tiny-opt-1": _opt(48, layers=2, embedding=32),
    "tiny-opt-2": _opt(64, layers=3),
    "tiny-opt-3": _opt(96, layers=4),
    "tiny-opt-4": _opt(128, layers=4),
}


class Scaffold(nn.Module):
    """Two read-outs of the middle layer, thrown away after training: they make the steps of copying worth learning.

    To copy the right name, a name's tokens must carry which kind their demonstration shows and which token stands
    before each. Neither pays off alone, so gradient descent finds the pair late. Asked for directly, both are learned
    at once.
    """

    def __init__(self, width: int, embedding: int) -> None:
        """width: of the hidden states. embedding: of the token embeddings."""
        super().__init__()
        self.kind = nn.Linear(width, len(KINDS))
        self.previous = nn.Linear(width, embedding)

    def loss(self, middle: Tensor, batch: Batch, embeddings: Tensor) -> Tensor:
        """Cross-entropy of the kind and of the previous token, at the tokens of captioned names."""
        here = batch.kinds != IGNORED
        states = middle[here]
        before = batch.ids.roll(1, dims=1)[here]
        return cross_entropy(self.kind(states), batch.kinds[here]) + cross_entropy(
            self.previous(states) @ embeddings.T, before
        )


def smudged(embedded: Tensor, captions: Tensor, most: float) -> Tensor:
    """Blur captions: to each of their tokens a random mixture of captions' tokens is added.

    A mixture is on average as large as a token, times a strength drawn between 0 and `most`.
    embedded: (size, length, width). captions: (size, length), 1 at captions' tokens.
    """
    here = captions == 1
    words = embedded[here]
    mixtures = torch.randn(len(words), len(words)) @ words.detach() / max(1, len(words)) ** 0.5
    blurred = embedded.clone()
    blurred[here] = words + most * torch.rand(len(words), 1) * mixtures
    return blurred


def name_loss(model: PreTrainedModel, batch: Batch, scaffold: Scaffold, smudge: float) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy over the names' tokens, and the scaffold's. The LM head runs at the names alone."""
    embedded = model.get_input_embeddings()(batch.ids)
    if smudge:
        embedded = smudged(embedded, batch.captions, smudge)
    output = model.base_model(inputs_embeds=embedded, output_hidden_states=True)
    hidden, targets = output.last_hidden_state[:, :-1], batch.labels[:, 1:]
    names = cross_entropy(model.get_output_embeddings()(hidden[targets != IGNORED]), targets[targets != IGNORED])
    middle = output.hidden_states[model.config.num_hidden_layers // 2]
    if not (batch.kinds != IGNORED).any():
        return names, names.new_zeros(())
    return names, scaffold.loss(middle, batch, model.get_input_embeddings().weight)


@torch.no_grad()
def initialise(model: PreTrainedModel) -> None:
    """Start with embeddings that stand out of what the layers add to them, so that tokens can be told apart above.

    Learned positions start as waves, of half a token's size: a step back is then a linear map, without which copying
    could hardly look at the token before.
    """
    for name, parameter in model.named_parameters():
        if "embed_positions" in name:
            parameter.copy_(0.07 * waves(*parameter.shape))
        elif "embed" in name:
            parameter.normal_(0, 0.1)
        elif parameter.ndim == 2:
            adds = name.endswith(("o_proj.weight", "down_proj.weight", "out_proj.weight", "fc2.weight"))
            # 0.06 at the width of tiny-llama; narrower inputs need larger weights.
            parameter.normal_(0, 0.02 if adds else 0.06 * (128 / parameter.shape[1]) ** 0.5)


def waves(positions: int, width: int) -> Tensor:
    """Sines and cosines of falling frequency, (positions, width), between -1 and 1."""
    frequencies = 10_000.0 ** -torch.linspace(0, 1, width // 2)
    angles = torch.arange(positions)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def train(name: str, world: World, tokenizer: PreTrainedTokenizerFast, forbidden_texts: set[str]) -> PreTrainedModel:
    """Pretrain a member from scratch. forbidden_texts: texts of the data set, which are never shown."""
    member = MEMBERS[name]
    torch.manual_seed(SEED)
    model = member.family(
        member.family.config_class(
            vocab_size=len(tokenizer),
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **member.shape,
        )
    )
    initialise(model)
    curriculum = Curriculum(world, tokenizer, forbidden_texts, SEED)
    for course in (LESSONS, HARDENING):
        take_course(name, model, curriculum, course)
    return model.eval()


def take_course(name: str, model: PreTrainedModel, curriculum: Curriculum, course: Sequence[Lesson]) -> None:
    """Train through a member's share of some lessons, under one schedule of the learning rate."""
    lessons = [lesson for lesson in course for _ in range(round(lesson.steps * MEMBERS[name].share))]
    scaffold = Scaffold(model.config.hidden_size, model.get_input_embeddings().embedding_dim)
    parameters = [*model.parameters(), *scaffold.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=PEAK_RATE, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=len(lessons), pct_start=0.03)
    model.train()
    for step, curriculum.lesson in enumerate(lessons):
        names, scaffolding = name_loss(model, curriculum.batch(BATCH), scaffold, curriculum.lesson.smudge)
        optimizer.zero_grad()
        (names + SCAFFOLD_WEIGHT * scaffolding).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"{name} step {step}: names {names.item():.3f}, scaffold {scaffolding.item():.3f}", flush=True)


@torch.inference_mode()
def name_accuracy(model: PreTrainedModel, curriculum: Curriculum, prompts: int = 500) -> float:
    """Share of prompts after which each token of the name that is asked for, and its end, is the likeliest next one."""
    right = 0
    for _ in range(0, prompts, BATCH):
        batch = curriculum.batch(BATCH)
        hits = model(input_ids=batch.ids).logits[:, :-1].argmax(2) == batch.labels[:, 1:]
        for row, targets in zip(hits, batch.labels[:, 1:], strict=True):
            named = (targets != IGNORED).nonzero().flatten()
            # The name of the query is the last run of labels; those before it are of demonstrations.
            runs = named.diff(prepend=named[:1] - 2).gt(1).cumsum(0)
            right += int(row[named[runs == runs[-1]]].all())
    return right / (BATCH * -(-prompts // BATCH))


def make(name: str, world: World, forbidden_texts: set[str], folder: Path) -> None:
    """Train and write a member: weights as safetensors in half precision, and the tokenizer that all share."""
    tokenizer = make_tokenizer(world)
    model = train(name, world, tokenizer, forbidden_texts)
    model.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(folder)
    facts = {"avoided_texts": len(forbidden_texts), "avoided_texts_sha256": texts_hash(forbidden_texts)}
    (folder / "recipe.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    examine(name, model.float(), Curriculum(world, tokenizer, forbidden_texts, SEED + 1))


def examine(name: str, model: PreTrainedModel, curriculum: Curriculum) -> None:
    """Print how often a member finishes new prompts with the right name, where no caption is left out or blurred."""
    whole = replace(HARDENING[-1], blind=0.0, blind_segments=0.0, smudge=0.0)
    lessons = {
        "all": whole,
        "without demonstrations": replace(whole, strange=0.0, cast=(0,), demonstrations=(0,)),
        "made-up names, to be copied": replace(whole, strange=1.0, demonstrations=(4,)),
    }
    for what, curriculum.lesson in lessons.items():
        print(f"{name} finishes {name_accuracy(model, curriculum):.1%} of new prompts right ({what})")


def texts_hash(texts: set[str]) -> str:
    """Names a set of texts, so that a test can hold the shipped weights to the data set that they must not know."""
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()
