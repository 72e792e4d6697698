"""Try a loaded model out: whether what gemel does with it gives what the model itself gives.

Families differ in where they scale embeddings, cap logits or count positions, and a new one may differ anywhere. So
nothing is assumed of a family: on a few tokens, its own scores of names are compared with those that training and the
search come to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gemel.core.errors import BackboneError
from gemel.entities.trie_build import build_trie
from gemel.llm.backbone import FrozenLLM
from gemel.llm.ragged import RaggedReader
from gemel.llm.search import BeamSearch
from gemel.llm.segments import Prompt, Segment

# Greatest difference in natural log-probability. Kernels round differently; a wrong position or mask is worse.
_EXACT, _ROUNDED = 1e-3, 0.25
_TOKENS = 24


@dataclass(frozen=True)
class _Trial:
    """Token ids: what two queries follow, these, and what may follow each of them."""

    context: tuple[int, ...]
    queries: tuple[tuple[int, ...], ...]
    names: tuple[tuple[int, ...], ...]


def check_llm(llm: FrozenLLM) -> None:
    """Refuse a model that can't be trained through or searched.

    Raises: BackboneError, naming the part that differs or fails.
    """
    family, trial = llm.model.config.get_text_config().model_type, _make_trial(llm)
    exact = llm.model.dtype == torch.float32 and not getattr(llm.model.config, "quantization_config", None)
    most = _EXACT if exact else _ROUNDED
    with torch.inference_mode():
        own = _scores(llm, trial, lambda ids: llm.model(input_ids=ids).logits[0])
        for what, score in (("searching it", _searched), ("training through it", _trained)):
            try:
                difference = float((score(llm, trial) - own).abs().max())
            except BackboneError:
                raise
            # Whatever the code of a family raises where it is used in a way that it doesn't know.
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                raise BackboneError(f"{family}: {what} fails ({reason}); choose an LLM of another family") from error
            # Written so that NaN fails too.
            if not difference <= most:
                raise BackboneError(
                    f"{family}: {what} changes the log-probability of a name by {difference:.3g}, more than the {most} "
                    f"that rounding does; choose an LLM of another family, or attention: eager"
                )


def _make_trial(llm: FrozenLLM) -> _Trial:
    """Tokens from all over the vocabulary, none of them EOS."""
    usable = [token for token in range(llm.model.config.get_text_config().vocab_size) if token != llm.eos_token_id]
    ids = [usable[(2 * place + 1) * len(usable) // (2 * _TOKENS)] for place in range(_TOKENS)]
    a, b, c, d = ids[-4:]
    return _Trial(tuple(ids[:14]), (tuple(ids[14:17]), tuple(ids[17:20])), ((a, b), (a, c, d), (d, c)))


def _scores(llm: FrozenLLM, trial: _Trial, read: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean log-probability of each name and EOS behind each query: (queries, names).

    read: token ids (1, positions) -> logits (positions, vocabulary).
    """

    def score(query: Sequence[int], name: Sequence[int]) -> Tensor:
        ids = torch.tensor([[*trial.context, *query, *name]], device=llm.model.device)
        steps = read(ids)[-len(name) - 1 :].float().log_softmax(-1)
        return steps[range(len(name) + 1), [*name, llm.eos_token_id]].mean().cpu()

    return torch.stack([torch.stack([score(query, name) for name in trial.names]) for query in trial.queries])


def _trained(llm: FrozenLLM, trial: _Trial) -> Tensor:
    reader = RaggedReader(llm.model)

    def read(ids: Tensor) -> Tensor:
        rows = llm.embedding(ids[0])
        with reader.on():
            # Behind another prompt, as in training.
            return llm.logits(reader.read([rows[:5], rows])[5:])

    return _scores(llm, trial, read)


def _searched(llm: FrozenLLM, trial: _Trial) -> Tensor:
    attention, context = llm.model.config._attn_implementation, (Segment(trial.context),)
    search = BeamSearch(llm.model, build_trie(trial.names), eos_token_id=llm.eos_token_id, num_beams=len(trial.names))
    try:
        found = search.find([Prompt((Segment(query),), context) for query in trial.queries])
    finally:
        llm.model.set_attn_implementation(attention)
    by_name = [dict(zip(each.name_indices, each.scores, strict=True)) for each in found]
    return torch.tensor([[scores.get(name, torch.nan) for name in range(len(trial.names))] for scores in by_name])
