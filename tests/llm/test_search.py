"""The search finds what Hugging Face's `generate` finds, whatever else is in the batch."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.generation import GenerateDecoderOnlyOutput

from gemel.core.errors import BackboneError, ConfigError, ShapeError
from gemel.entities.subset import subset_of
from gemel.entities.trie_build import build_trie
from gemel.llm.search import BeamSearch, Hypotheses
from gemel.llm.segments import Prompt, Segment

VOCAB, WIDTH, EOS, PAD = 60, 32, 2, 1


def make_llm(family: str, **settings) -> PreTrainedModel:
    """A random two-layer model whose scores differ clearly."""
    torch.manual_seed(0)
    settings = {"vocab_size": VOCAB, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4} | settings
    settings |= {"max_position_embeddings": 128, "bos_token_id": 0, "eos_token_id": EOS, "pad_token_id": PAD}
    if family == "llama":
        llm = LlamaForCausalLM(LlamaConfig(intermediate_size=64, num_key_value_heads=2, **settings))
    elif family == "qwen2":
        llm = Qwen2ForCausalLM(Qwen2Config(intermediate_size=64, num_key_value_heads=2, **settings))
    else:
        llm = OPTForCausalLM(OPTConfig(ffn_dim=64, word_embed_proj_dim=WIDTH, tie_word_embeddings=False, **settings))
    for parameter in llm.model.parameters():
        parameter.data.normal_(std=0.3) if parameter.ndim > 1 else None
    llm.lm_head.weight.data.normal_(std=0.5)
    return llm.eval()


def make_names(seed: int = 0) -> list[tuple[int, ...]]:
    """Names that share long prefixes, and names that are prefixes of others."""
    rng = np.random.default_rng(seed)
    stems = [tuple(rng.integers(3, 20, size=rng.integers(1, 4))) for _ in range(25)]
    names = {stem + tuple(rng.integers(3, VOCAB, size=rng.integers(0, 5))) for stem in stems for _ in range(8)}
    names |= set(stems)
    return sorted(tuple(int(token) for token in name) for name in names)


def make_prompts(count: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 24, (count,), generator=generator).tolist()
    return [torch.randn(length, WIDTH, generator=generator) for length in lengths]


NAMES = make_names()
DEPTH = max(map(len, NAMES)) + 1


def generate(llm: PreTrainedModel, prompt: Tensor, names: Sequence[tuple[int, ...]], num_beams: int) -> Hypotheses:
    """The same search by Hugging Face. Its placeholders, scored near -1e9, are left out."""
    allowed: dict[tuple[int, ...], set[int]] = {}
    for name in names:
        for length, token in enumerate((*name, EOS)):
            allowed.setdefault(name[:length], set()).add(token)
    output = llm.generate(
        inputs_embeds=prompt[None],
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        prefix_allowed_tokens_fn=lambda _, tokens: sorted(allowed.get(tuple(tokens.tolist()), {EOS})),
        num_beams=num_beams,
        num_return_sequences=num_beams,
        max_new_tokens=max(map(len, names)) + 1,
        do_sample=False,
        early_stopping=False,
        length_penalty=1.0,
        output_scores=True,
        output_logits=True,
        return_dict_in_generate=True,
    )
    index_of = {name: index for index, name in enumerate(names)}
    scores = output.sequences_scores.tolist() if num_beams > 1 else [greedy_score(output)]
    pairs = zip(output.sequences.tolist(), scores, strict=True)
    found = [(index_of[tuple(tokens[: tokens.index(EOS)])], score) for tokens, score in pairs if score > -1e6]
    return Hypotheses(tuple(name for name, _ in found), tuple(score for _, score in found))


def greedy_score(output: GenerateDecoderOnlyOutput) -> float:
    """Mean log-probability of a sequence that `generate` made with one beam, for which it gives no score."""
    steps = torch.cat(output.logits).log_softmax(-1)
    return float(steps.gather(1, output.sequences[0, :, None]).mean())


def search(
    llm: PreTrainedModel, prompts: list[Tensor], num_beams: int, names=NAMES, results=None, **settings
) -> list[Hypotheses]:
    searching = BeamSearch(llm, build_trie(names), eos_token_id=EOS, num_beams=num_beams, **settings)
    return searching.find([alone(prompt) for prompt in prompts], results=results)


def alone(embeddings: Tensor) -> Prompt:
    """A prompt of given embeddings that shares nothing."""
    return Prompt((Segment((), embeddings),))


def assert_same(ours: list[Hypotheses], theirs: list[Hypotheses]) -> None:
    assert [each.name_indices for each in ours] == [each.name_indices for each in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


@pytest.fixture(scope="module", params=["llama", "opt", "qwen2"])
def llm(request) -> PreTrainedModel:
    return make_llm(request.param)


@pytest.mark.parametrize("num_beams", [1, 2, 5, 8])
def test_search_equals_generate(llm, num_beams):
    prompts = make_prompts(55, seed=num_beams)
    theirs = [generate(llm, prompt, NAMES, num_beams) for prompt in prompts]
    assert len({each.name_indices for each in theirs}) > 10  # The prompts matter.
    assert_same(search(llm, prompts, num_beams), theirs)


def test_search_equals_generate_with_eager_attention(llm):
    prompts = make_prompts(10, seed=20)
    theirs = [generate(llm, prompt, NAMES, 5) for prompt in prompts]
    llm.set_attn_implementation("eager")
    try:
        assert_same(search(llm, prompts, 5), theirs)
    finally:
        llm.set_attn_implementation("sdpa")


@pytest.mark.parametrize("tokens_at_once", [1, 400, 100_000])
def test_result_does_not_depend_on_the_batch_it_rides_in(llm, tokens_at_once):
    prompts = make_prompts(20, seed=30)
    single = [search(llm, [prompt], 5)[0] for prompt in prompts]
    assert_same(search(llm, prompts, 5, tokens_at_once=tokens_at_once), single)
    assert_same(search(llm, prompts[::-1], 5, tokens_at_once=tokens_at_once), single[::-1])


@pytest.mark.parametrize("tokens_at_once", [1, 150, 100_000])
def test_prompts_that_share_a_context_equal_whole_ones(llm, tokens_at_once):
    contexts, queries = make_prompts(3, seed=50), make_prompts(21, seed=51)
    contexts[0] = torch.cat([contexts[0]] * 3)
    shared = [(Segment((), context),) for context in contexts]
    places = [number % 3 for number in range(21)]
    prompts = [Prompt((Segment((), query),), shared[at]) for query, at in zip(queries, places, strict=True)]
    searching = BeamSearch(llm, build_trie(NAMES), eos_token_id=EOS, num_beams=4, tokens_at_once=tokens_at_once)
    whole = [torch.cat((contexts[at], query)) for query, at in zip(queries, places, strict=True)]
    assert_same(searching.find(prompts), search(llm, whole, 4))


def test_mentions_of_one_search_may_choose_among_different_names(llm):
    prompts, trie = make_prompts(20, seed=40), build_trie(NAMES)
    choices = [np.array([7, 2, 11, 3]), None, np.array([5]), np.arange(40, 80)]
    subsets = [None if names is None else subset_of(trie, names) for names in choices]
    searching = BeamSearch(llm, trie, eos_token_id=EOS, num_beams=5)
    found = searching.find([alone(prompt) for prompt in prompts], among=[subsets[n % 4] for n in range(20)])
    for number, (prompt, hypotheses) in enumerate(zip(prompts, found, strict=True)):
        names = choices[number % 4]
        names = np.arange(len(NAMES)) if names is None else names
        (of_these,) = search(llm, [prompt], 5, names=[NAMES[index] for index in names])
        assert hypotheses.name_indices == tuple(names[list(of_these.name_indices)])
        assert hypotheses.scores == pytest.approx(of_these.scores, abs=1e-5)


def test_refuses_another_number_of_choices_than_prompts(llm):
    searching = BeamSearch(llm, build_trie(NAMES), eos_token_id=EOS, num_beams=5)
    with pytest.raises(ConfigError, match="among: expected one entry for each of 2 prompts, got 1"):
        searching.find([alone(prompt) for prompt in make_prompts(2)], among=[None])


@pytest.mark.parametrize("results", [1, 2, 4])
def test_fewer_results_are_the_first_of_all(llm, results):
    prompts = make_prompts(55, seed=results)
    every, few = search(llm, prompts, 5), search(llm, prompts, 5, results=results)
    cut = [Hypotheses(each.name_indices[:results], each.scores[:results]) for each in every]
    assert_same(few, cut)


def test_tokens_without_a_choice_are_read_in_one_pass(llm, monkeypatch):
    names = [(3, 4, 5, 6, 7, 8), (9, 10, 11, 12)]
    tokens = watch_tokens(llm, monkeypatch)
    found = search(llm, make_prompts(1), 2, names)
    assert tokens == [6 + 4]
    monkeypatch.undo()
    assert_same(found, [generate(llm, make_prompts(1)[0], names, 2)])


def watch_tokens(llm: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tokens of each forward pass behind the prompts, as they come."""
    tokens: list[int] = []
    forward = type(llm).forward

    def watch(self, **inputs):
        if "input_ids" in inputs:
            tokens.append(inputs["input_ids"].numel())
        return forward(self, **inputs)

    monkeypatch.setattr(type(llm), "forward", watch)
    return tokens


def limit_memory(llm: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let a forward pass behind the prompts run out of memory where it has more rows."""
    forward = type(llm).forward

    def fail(self, **inputs):
        if "input_ids" in inputs and len(inputs["input_ids"]) > rows:
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
        return forward(self, **inputs)

    monkeypatch.setattr(type(llm), "forward", fail)


def test_out_of_memory_halves_the_batch_and_goes_on(llm, monkeypatch):
    prompts = make_prompts(30, seed=70)
    expected = search(llm, prompts, 3)
    limit_memory(llm, monkeypatch, rows=4)
    searching = BeamSearch(llm, build_trie(NAMES), eos_token_id=EOS, num_beams=3)
    assert_same(searching.find([alone(prompt) for prompt in prompts]), expected)
    assert searching.tokens_at_once < 4_000
    held = searching.tokens_at_once
    searching.find([alone(prompt) for prompt in prompts])
    assert searching.tokens_at_once == held


def test_out_of_memory_splits_a_row_that_many_mentions_share(llm, monkeypatch):
    context = (Segment((), torch.randn(60, WIDTH, generator=torch.Generator().manual_seed(1))),)
    prompts = [Prompt((Segment((), query),), context) for query in make_prompts(4, seed=71)]
    searching = BeamSearch(llm, build_trie(NAMES), eos_token_id=EOS, num_beams=3)
    expected = searching.find(prompts)
    forward = type(llm).forward

    def fail(self, **inputs):
        kept = inputs["logits_to_keep"]
        if isinstance(kept, Tensor) and kept.ndim == 1:  # The queries of a row that mentions share.
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
        return forward(self, **inputs)

    monkeypatch.setattr(type(llm), "forward", fail)
    assert_same(searching.find(prompts), expected)


def test_out_of_memory_with_one_mention_is_an_error(llm, monkeypatch):
    limit_memory(llm, monkeypatch, rows=0)
    with pytest.raises(BackboneError, match=r"mention 0: its prompt of 7 positions alone needs more memory than cpu"):
        search(llm, [torch.randn(7, WIDTH)], 3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gives_names_and_finite_scores(dtype):
    llm = make_llm("llama").to(dtype)
    for found in search(llm, make_prompts(10, seed=80), 5):
        assert len(found.name_indices) == 5
        assert np.isfinite(found.scores).all()


def test_prompts_of_equal_length_equal_generate(llm):
    prompts = [torch.randn(7, WIDTH, generator=torch.Generator().manual_seed(seed)) for seed in range(6)]
    assert_same(search(llm, prompts, 3), [generate(llm, prompt, NAMES, 3) for prompt in prompts])


@pytest.mark.parametrize("num_beams", [4, 8, 50])
def test_more_beams_than_names_returns_all_names_once(llm, num_beams):
    names = [(3,), (3, 4), (3, 4, 5), (9, 4)]
    prompts = make_prompts(10)
    ours = search(llm, prompts, num_beams, names)
    assert all(sorted(found.name_indices) == [0, 1, 2, 3] for found in ours)
    assert_same(ours, [generate(llm, prompt, names, num_beams) for prompt in prompts])


def test_a_single_name_is_scored_by_its_mean_log_probability(llm):
    name = (7, 11, 13)
    prompt = make_prompts(1)[0]
    with torch.inference_mode():
        tail = llm.get_input_embeddings()(torch.tensor(name))
        logits = llm(inputs_embeds=torch.cat((prompt, tail))[None]).logits[0, -4:]
    steps = logits.log_softmax(-1)[range(4), [*name, EOS]]
    found = search(llm, [prompt], 5, [name])[0]
    assert found.name_indices == (0,)
    assert found.scores == pytest.approx([float(steps.mean())], abs=1e-5)


def test_every_output_is_a_different_name(llm):
    for found in search(llm, make_prompts(40, seed=9), 8):
        assert 1 <= len(found.name_indices) <= 8
        assert len(set(found.name_indices)) == len(found.name_indices)
        assert all(0 <= name < len(NAMES) for name in found.name_indices)


def test_each_prompt_is_read_once_and_logits_only_behind_it(llm, monkeypatch):
    read, kept = [], []
    forward = type(llm).forward

    def watch(self, **inputs):
        output = forward(self, **inputs)
        if "inputs_embeds" in inputs:
            read.extend([inputs["inputs_embeds"].shape[1]] * inputs["inputs_embeds"].shape[0])
            kept.append(output.logits.shape[1])
        return output

    monkeypatch.setattr(type(llm), "forward", watch)
    prompts = make_prompts(12)
    search(llm, prompts, 5)
    assert sorted(read) == sorted(len(prompt) for prompt in prompts)
    assert set(kept) == {1}


def test_search_of_no_prompts_is_empty(llm):
    assert search(llm, [], 5) == []


def test_search_leaves_no_gradient(llm):
    prompt = make_prompts(1)[0].requires_grad_()
    search(llm, [prompt], 2)
    assert prompt.grad is None


@pytest.mark.parametrize(
    "setting",
    [{"num_beams": 0}, {"num_beams": -1}, {"num_beams": 1, "tokens_at_once": 0}, {"num_beams": 1, "results": 0}],
)
def test_refuses_numbers_below_one(llm, setting):
    with pytest.raises(ConfigError, match=r"(num_beams|tokens_at_once|results): must be at least 1, got"):
        search(llm, make_prompts(1), **setting)


@pytest.mark.parametrize("shape", [(WIDTH,), (1, 3, WIDTH), (3, WIDTH + 1)])
def test_refuses_a_prompt_of_another_shape(llm, shape):
    with pytest.raises(ShapeError, match=rf"prompt 1: expected soft tokens \(length, {WIDTH}\), got"):
        search(llm, [torch.zeros(2, WIDTH), torch.zeros(shape)], 2)


def test_refuses_a_prompt_without_a_query(llm):
    searching = BeamSearch(llm, build_trie(NAMES), eos_token_id=EOS, num_beams=2)
    context = (Segment((3, 4)),)
    with pytest.raises(ShapeError, match="prompt 0: its query has no position"):
        searching.find([Prompt((), context)])


def test_refuses_a_prompt_that_leaves_no_room_for_a_name(llm):
    most = 128 - (DEPTH - 1)
    assert search(llm, [torch.randn(most, WIDTH)], 1)
    with pytest.raises(ShapeError, match=f"prompt 0: {most + 1} positions and names up to {DEPTH} tokens exceed .*128"):
        search(llm, [torch.randn(most + 1, WIDTH)], 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_logits_that_are_not_finite(llm, value):
    prompts = make_prompts(3)
    prompts[1] = torch.full_like(prompts[1], value)
    with pytest.raises(BackboneError, match="mention 1: the LLM's logits are NaN or infinite; check"):
        search(llm, prompts, 2)


def test_refuses_a_model_in_training_mode():
    with pytest.raises(BackboneError, match=r"opt: in training mode, so dropout would change names; call llm\.eval"):
        search(make_llm("opt").train(), make_prompts(1), 2)


def test_attention_that_ignores_masks_is_exchanged():
    llm, prompts = make_llm("llama"), make_prompts(3)
    expected = search(llm, prompts, 2)
    llm.config._attn_implementation = "flash_attention_2"
    assert_same(search(llm, prompts, 2), expected)
    assert llm.config._attn_implementation == "sdpa"


def test_window_bounds_the_prompt_as_the_context_does():
    llm = make_llm("qwen2", use_sliding_window=True, sliding_window=20, max_window_layers=0)
    prompts = [torch.randn(20 - (DEPTH - 1), WIDTH, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    assert_same(search(llm, prompts, 3), [generate(llm, prompt, NAMES, 3) for prompt in prompts])
    with pytest.raises(ShapeError, match=r"prompt 0: .* exceed the model's 20"):
        search(llm, [torch.randn(21 - (DEPTH - 1), WIDTH)], 3)


def test_refuses_layers_that_keep_a_state():
    llm = make_llm("llama")
    llm.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(
        BackboneError, match=r"llama: has layers \['full_attention', 'linear_attention'\] that don't look"
    ):
        search(llm, make_prompts(1), 2)
