"""Speed of constrained beam search, against the published algorithm in the same process.

The baseline is what GENRE and its followers publish: a trie of nested dicts behind Hugging Face's `generate` with
`prefix_allowed_tokens_fn`, one mention at a time. Both search the same random model for the same names, and take turns
in slices of mentions, so that whatever else the machine does hits both. Prompts are as long as 16 demonstrations.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM, PreTrainedModel

from benchmarks.output import show
from gemel.entities.trie_build import build_trie
from gemel.llm.search import BeamSearch, Hypotheses
from gemel.llm.segments import Prompt, Segment

PAD, BOS, EOS = 0, 1, 2
FIRST_PIECE = 3
NAMES, BEAMS, DEMONSTRATIONS = 5_000, 5, 16
DEMONSTRATION_TOKENS = (50, 62)
# Names are recombined from these: given names, family names, places, kinds.
WORDS = """
Ada Boris Clara Dmitri Elena Farid Greta Hugo Ingrid Jorge Keiko Leila Marcus Nadia Oscar Priya
Abernathy Bianchi Castellanos Dubrovsky Eriksson Fitzgerald Hashimoto Ivanova Kowalczyk Lindqvist Montgomery Okonkwo
Amazon Bristol Cordoba Dover Eureka Florence Georgia Hamilton Jaguar Kingston Lincoln Mercury Orion Phoenix Saturn Troy
Airport Bridge Cathedral County Football Club Museum Observatory Orchestra Railway River University Vineyard Windmill
"""


@dataclass(frozen=True)
class Shape:
    """Size of a model; `family` says which class."""

    family: str
    hidden: int
    layers: int
    heads: int
    inner: int
    vocab: int


SHAPES = {
    "small": Shape("llama", hidden=192, layers=4, heads=6, inner=512, vocab=8_000),
    "small-opt": Shape("opt", hidden=192, layers=4, heads=6, inner=768, vocab=8_000),
    "llama2-7b": Shape("llama", hidden=4_096, layers=32, heads=32, inner=11_008, vocab=32_000),
    "opt-6.7b": Shape("opt", hidden=4_096, layers=32, heads=32, inner=16_384, vocab=50_272),
}


@dataclass(frozen=True)
class Report:
    """What the benchmark found. Times are wall time; ratio is ours / baseline in mentions per second."""

    ratio: float
    over_prefill_floor: float
    different_names: int
    different_lists: int
    largest_score_difference: float
    mentions_per_s: float
    baseline_mentions_per_s: float
    mentions: int
    names: int
    num_beams: int
    prompt_tokens: float
    family: str
    shape: str
    device: str
    dtype: str
    threads: int
    torch: str
    transformers: str


class NestedTrie:
    """The published trie: a dict per node, looked up from the root at each step."""

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self.root: dict[int, Any] = {}
        for sequence in sequences:
            node = self.root
            for token in sequence:
                node = node.setdefault(token, {})

    def get(self, prefix: Sequence[int]) -> list[int]:
        node = self.root
        for token in prefix:
            if token not in node:
                return []
            node = node[token]
        return list(node)


def published_search(llm: PreTrainedModel, prompt: Tensor, trie: NestedTrie, max_new_tokens: int) -> list[Any]:
    """Search one mention as published; return (token ids, score) pairs, best first."""

    def allowed(_: int, tokens: Tensor) -> list[int]:
        # `generate` also goes on with beams that are over, at a score of -1e9, and refuses an empty list for them.
        return trie.get(tokens.tolist()) or [EOS]

    output = llm.generate(
        inputs_embeds=prompt[None],
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long, device=prompt.device),
        prefix_allowed_tokens_fn=allowed,
        num_beams=BEAMS,
        num_return_sequences=BEAMS,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    sequences = [tokens[: tokens.index(EOS)] for tokens in output.sequences.tolist()]
    return list(zip(sequences, output.sequences_scores.tolist(), strict=True))


def make_llm(shape: Shape, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """A model with random weights."""
    torch.manual_seed(0)
    common = {
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "max_position_embeddings": 2_048,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "tie_word_embeddings": False,
        "dtype": dtype,
    }
    former = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            if shape.family == "llama":
                llm: PreTrainedModel = LlamaForCausalLM(LlamaConfig(intermediate_size=shape.inner, **common))
            else:
                llm = OPTForCausalLM(OPTConfig(ffn_dim=shape.inner, word_embed_proj_dim=shape.hidden, **common))
    finally:
        torch.set_default_dtype(former)
    # A fresh head scores all tokens nearly alike; then rounding would decide between names.
    llm.lm_head.weight.data.normal_(std=3 * shape.hidden**-0.5)
    return llm.eval()


def make_names(rng: np.random.Generator, vocab: int) -> list[tuple[int, ...]]:
    """Names recombined from WORDS, cut into pieces of three letters."""
    lists = [line.split() for line in WORDS.strip().splitlines()]
    texts: set[str] = set()
    while len(texts) < NAMES:
        given, family, place, kind = (str(rng.choice(words)) for words in lists)
        patterns = (f"{given} {family}", f"{place} {kind}", f"{given} {family} {kind}", f"{place} {family} {kind}")
        texts.add(patterns[rng.integers(len(patterns))])
    words = sorted({word for text in texts for word in text.split()})
    pieces = sorted({word[at : at + 3] for word in words for at in range(0, len(word), 3)})
    ids = dict(zip(pieces, rng.choice(np.arange(FIRST_PIECE, vocab), len(pieces), replace=False).tolist(), strict=True))
    return [
        tuple(ids[word[at : at + 3]] for word in text.split() for at in range(0, len(word), 3))
        for text in sorted(texts)
    ]


def make_prompts(rng: np.random.Generator, llm: PreTrainedModel, mentions: int) -> list[Tensor]:
    """Embedded random tokens, as long as the demonstrations and the query together."""
    lengths = rng.integers(*DEMONSTRATION_TOKENS, size=(mentions, DEMONSTRATIONS + 1)).sum(axis=1)
    vocab = llm.config.vocab_size
    tokens = [torch.from_numpy(rng.integers(FIRST_PIECE, vocab, size=length)) for length in lengths]
    with torch.inference_mode():
        return [llm.get_input_embeddings()(row.to(llm.device)) for row in tokens]


class Race:
    """Runs the contestants in turns over slices of prompts, and adds up their times."""

    def __init__(self, llm: PreTrainedModel, names: list[tuple[int, ...]]) -> None:
        self.llm = llm
        self.names = names
        self.trie = build_trie(names)
        self.search = BeamSearch(llm, self.trie, eos_token_id=EOS, num_beams=BEAMS)
        self.nested = NestedTrie([(*name, EOS) for name in names])
        self.seconds = {"ours": 0.0, "baseline": 0.0, "prefill": 0.0}
        self.found: dict[str, list[Any]] = {name: [] for name in self.seconds}

    def run(self, prompts: list[Tensor], per_slice: int) -> None:
        contestants = {"ours": self.ours, "baseline": self.baseline, "prefill": self.prefill}
        for contestant in contestants.values():
            contestant(prompts[:1])
        order = list(contestants)
        for first in range(0, len(prompts), per_slice):
            for name in order:
                found, seconds = self._time(contestants[name], prompts[first : first + per_slice])
                self.found[name] += found
                self.seconds[name] += seconds
            order.reverse()

    def ours(self, prompts: list[Tensor]) -> list[Hypotheses]:
        return self.search.find([Prompt((Segment((), prompt),)) for prompt in prompts])

    def baseline(self, prompts: list[Tensor]) -> list[Any]:
        return [published_search(self.llm, prompt, self.nested, self.trie.depth) for prompt in prompts]

    @torch.inference_mode()
    def prefill(self, prompts: list[Tensor]) -> list[Any]:
        """Only read each prompt: the least that any exact search must do."""
        return [self.llm(inputs_embeds=prompt[None], use_cache=True, logits_to_keep=1).logits for prompt in prompts]

    def _time(self, contestant: Callable[[list[Tensor]], list[Any]], prompts: list[Tensor]) -> tuple[list[Any], float]:
        self._wait()
        start = time.perf_counter()
        found = contestant(prompts)
        self._wait()
        return found, time.perf_counter() - start

    def _wait(self) -> None:
        if self.llm.device.type == "cuda":
            torch.cuda.synchronize()


def compare(race: Race) -> tuple[int, int, float]:
    """Return how many best names differ, how many whole lists, and the largest score difference of equal names."""
    different_names, different_lists, largest = 0, 0, 0.0
    for ours, theirs in zip(race.found["ours"], race.found["baseline"], strict=True):
        our_names = [list(race.names[index]) for index in ours.name_indices]
        real = [(tokens, score) for tokens, score in theirs if score > -1e6]
        different_names += our_names[0] != real[0][0]
        different_lists += our_names != [tokens for tokens, _ in real]
        pairs = zip(our_names, ours.scores, real, strict=False)
        largest = max([largest, *(abs(score - other) for name, score, (tokens, other) in pairs if name == tokens)])
    return different_names, different_lists, largest


def measure(settings: argparse.Namespace) -> Report:
    """Run the race and sum it up."""
    shape = SHAPES["small-opt" if (settings.shape, settings.family) == ("small", "opt") else settings.shape]
    rng = np.random.default_rng(0)
    device = torch.device(settings.device)
    llm = make_llm(shape, device, getattr(torch, settings.dtype))
    race = Race(llm, make_names(rng, shape.vocab))
    prompts = make_prompts(rng, llm, settings.mentions or (16 if settings.quick else 208))
    race.run(prompts, per_slice=8 if settings.quick else 16)
    different_names, different_lists, largest = compare(race)
    return Report(
        ratio=race.seconds["baseline"] / race.seconds["ours"],
        over_prefill_floor=race.seconds["ours"] / race.seconds["prefill"],
        different_names=different_names,
        different_lists=different_lists,
        largest_score_difference=largest,
        mentions_per_s=len(prompts) / race.seconds["ours"],
        baseline_mentions_per_s=len(prompts) / race.seconds["baseline"],
        mentions=len(prompts),
        names=len(race.names),
        num_beams=BEAMS,
        prompt_tokens=float(np.mean([len(prompt) for prompt in prompts])),
        family=shape.family,
        shape=settings.shape,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        dtype=settings.dtype,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        transformers=transformers.__version__,
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 mentions instead of 208")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--family", choices=("llama", "opt"), default="llama")
    parser.add_argument("--shape", choices=("small", "llama2-7b", "opt-6.7b"), default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--mentions", type=int, help="another number of mentions")
    settings = parser.parse_args()
    if settings.shape == "opt-6.7b":
        settings.family = "opt"
    elif settings.shape == "llama2-7b" and settings.family == "opt":
        parser.error("--shape llama2-7b is no OPT; use --shape opt-6.7b")
    return settings


def main() -> None:
    settings = parse()
    transformers.logging.set_verbosity_error()
    report = asdict(measure(settings))
    show(report, "constrained beam search, ours against the published algorithm", as_json=settings.json)


if __name__ == "__main__":
    main()
