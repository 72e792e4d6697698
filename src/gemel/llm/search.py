"""Constrained beam search: which entity names a frozen LLM would go on with.

Each prompt is read once. Its beams then share its keys and values (see `cache`): a forward pass has one row per
mention and one query position per live beam. The result is that of Hugging Face's `generate` (see `beams`), which
instead reads each prompt once per beam and copies all keys and values at every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from gemel.core.errors import BackboneError, ConfigError, ShapeError
from gemel.entities.constraint import Candidates, TrieConstraint
from gemel.entities.subset import TrieSubset
from gemel.entities.trie import NONE, PackedTrie
from gemel.llm.backbone import context_limit
from gemel.llm.beams import Beams, BoolArray, rank
from gemel.llm.cache import SharedPromptCache

# Attention implementations that heed an explicit 4-D mask.
_MASKED_ATTENTION = ("sdpa", "eager")


@dataclass(frozen=True)
class Hypotheses:
    """The names found for one mention, best first.

    name_indices: as in the names that the trie was built from, all different. scores: mean log-probability per
    generated token, end-of-sequence included, natural logarithm of the softmax over the whole vocabulary.
    """

    name_indices: tuple[int, ...]
    scores: tuple[float, ...]


def beam_search(
    llm: PreTrainedModel,
    prompts: Sequence[Tensor],
    trie: PackedTrie | TrieSubset,
    *,
    eos_token_id: int,
    num_beams: int,
    mentions_at_once: int = 16,
) -> list[Hypotheses]:
    """Find the best names for each prompt.

    llm: decoder-only model in evaluation mode, with SDPA or eager attention. prompts: input embeddings of each
    mention, (length, llm_dim), any lengths. trie: all names, or those to choose among. num_beams: most names per
    mention; fewer come back where the trie holds fewer or the beam met fewer, but never none. mentions_at_once:
    mentions that are decoded together; it bounds the memory for keys and values and does not change the result.
    Raises: ConfigError if a number is below 1. ShapeError if a prompt has another shape or leaves no room for a name.
    BackboneError if the model can't be searched or its logits are not finite. ArtifactError if the trie is of another
    tokenizer.
    """
    for setting, value in (("num_beams", num_beams), ("mentions_at_once", mentions_at_once)):
        if value < 1:
            raise ConfigError(f"{setting}: must be at least 1, got {value}")
    _check_model(llm)
    _check_prompts(llm, prompts, trie.depth)
    vocab_size = llm.config.get_text_config().vocab_size
    constraint = TrieConstraint(trie, eos_token_id=eos_token_id, vocab_size=vocab_size, device=llm.device)
    num_beams = min(num_beams, trie.name_count)
    found: dict[int, Hypotheses] = {}
    # Mentions of like length go together: their prompts need little padding.
    by_length = sorted(range(len(prompts)), key=lambda mention: len(prompts[mention]))
    with torch.inference_mode():
        for first in range(0, len(by_length), mentions_at_once):
            group = by_length[first : first + mentions_at_once]
            found.update(_search_group(llm, group, [prompts[mention] for mention in group], constraint, num_beams))
    return [found[mention] for mention in range(len(prompts))]


def _search_group(
    llm: PreTrainedModel, group: list[int], prompts: list[Tensor], constraint: TrieConstraint, num_beams: int
) -> Iterator[tuple[int, Hypotheses]]:
    """Yield each mention's index and result as soon as it is decided."""
    trie = constraint.trie
    cache = SharedPromptCache(llm, [len(prompt) for prompt in prompts], generated=(trie.depth - 1) * num_beams)
    beams = Beams.start(np.array(group), num_beams)
    logits = _prefill(llm, prompts, cache)
    while True:
        candidates = constraint.candidates(beams.states.reshape(-1))
        scores = _score(logits, candidates, beams)
        beams = beams.advance(rank(scores, candidates, beams.states.shape, 2 * num_beams), trie.names_at)
        decided = beams.decided()
        for row in np.flatnonzero(decided):
            yield int(beams.mentions[row]), _hypotheses(beams, int(row))
        if decided.all():
            return
        order = _close_gaps(decided)
        beams = beams.keep(order)
        cache.keep(order)
        logits = _decode(llm, beams, cache)


def _prefill(llm: PreTrainedModel, prompts: list[Tensor], cache: SharedPromptCache) -> Tensor:
    """Read each prompt once; return the logits behind its last position, (rows, 1, vocab).

    Prompts run unpadded, with those of equal length together: a padding mask would cost the causal attention kernel.
    """
    logits = []
    for _, run in groupby(range(len(prompts)), key=lambda row: len(prompts[row])):
        rows = list(run)
        cache.write_prompts(slice(rows[0], rows[-1] + 1))
        embeddings = torch.stack([prompts[row] for row in rows]).to(llm.device, llm.dtype)
        logits.append(llm(inputs_embeds=embeddings, past_key_values=cache, use_cache=True, logits_to_keep=1).logits)
    return torch.cat(logits)


def _decode(llm: PreTrainedModel, beams: Beams, cache: SharedPromptCache) -> Tensor:
    """Read the last token of every live beam; return the logits behind it, (rows, beams, vocab)."""
    positions = np.repeat(cache.lengths[:, None] + beams.length - 1, beams.tokens.shape[1], axis=1)
    logits: Tensor = llm(
        input_ids=torch.from_numpy(beams.tokens).to(llm.device),
        # Beams of a row are siblings, not a sequence: order says nothing about who sees whom, or at which position.
        attention_mask=cache.write_slots(beams.ancestors),
        position_ids=torch.from_numpy(positions).to(llm.device),
        past_key_values=cache,
        use_cache=True,
    ).logits
    return logits


def _score(logits: Tensor, candidates: Candidates, beams: Beams) -> Tensor:
    """Return each candidate's summed log-probability, (candidates,), float32.

    logits: (rows, beams, vocab). Raises: BackboneError if a candidate's score is not finite.
    """
    logits = logits.float().flatten(0, 1)
    before = torch.from_numpy(beams.scores).to(logits.device).flatten() - logits.logsumexp(dim=-1)
    scores = logits[candidates.rows, candidates.tokens] + before[candidates.rows]
    if not bool(scores.isfinite().all()):
        row = int(candidates.rows[~scores.isfinite()][0]) // beams.states.shape[1]
        raise BackboneError(
            f"mention {beams.mentions[row]}: the LLM's logits are NaN or infinite at generated token "
            f"{beams.length + 1}; check the prompt's embeddings, the weights, and fp16 overflow (bfloat16 has none)"
        )
    return scores


def _hypotheses(beams: Beams, row: int) -> Hypotheses:
    found = beams.finished_names[row] != NONE
    names, scores = beams.finished_names[row, found], beams.finished_scores[row, found]
    return Hypotheses(name_indices=tuple(names.tolist()), scores=tuple(scores.tolist()))


def _close_gaps(decided: BoolArray) -> npt.NDArray[np.int64]:
    """Return the order that keeps undecided rows: in place where possible, the last ones in the gaps."""
    open_rows = np.flatnonzero(~decided)
    kept = len(open_rows)
    order = np.arange(kept)
    order[decided[:kept]] = open_rows[open_rows >= kept]
    return order


def _check_model(llm: PreTrainedModel) -> None:
    config = llm.config.get_text_config()
    if llm.training:
        raise BackboneError(f"{config.model_type}: in training mode, so dropout would change names; call llm.eval()")
    attention = config._attn_implementation
    if attention not in _MASKED_ATTENTION:
        raise BackboneError(
            f"{config.model_type}: beams share a prompt through a mask that attention {attention!r} ignores; "
            f"load the model with attn_implementation='sdpa'"
        )
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        raise BackboneError(f"{config.model_type}: has layers {sorted(kinds)}; only full attention can be searched")


def _check_prompts(llm: PreTrainedModel, prompts: Sequence[Tensor], depth: int) -> None:
    width = llm.get_input_embeddings().get_parameter("weight").shape[1]
    most = context_limit(llm)
    for mention, prompt in enumerate(prompts):
        if prompt.ndim != 2 or prompt.shape[1] != width or not len(prompt):
            raise ShapeError(f"prompt {mention}: expected (length, {width}), got {tuple(prompt.shape)}")
        # The last token of a name is never read, so depth - 1 positions suffice.
        if len(prompt) + depth - 1 > most:
            raise ShapeError(
                f"prompt {mention}: {len(prompt)} positions and names up to {depth} tokens exceed the model's "
                f"{most}; use fewer demonstrations or a shorter text"
            )
