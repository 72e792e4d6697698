"""The search finds what Hugging Face's `generate` finds, whatever else is in the batch."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM, PreTrainedModel
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


@pytest.fixture(scope="module", params=["llama", "opt"])
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


@pytest.mark.parametrize("mentions_at_once", [1, 3, 64])
def test_result_does_not_depend_on_the_batch_it_rides_in(llm, mentions_at_once):
    prompts = make_prompts(20, seed=30)
    alone = [search(llm, [prompt], 5)[0] for prompt in prompts]
    assert_same(search(llm, prompts, 5, mentions_at_once=mentions_at_once), alone)
    assert_same(search(llm, prompts[::-1], 5, mentions_at_once=mentions_at_once), alone[::-1])


def test_search_among_some_names_equals_a_trie_of_these_names_alone(llm):
    prompts, some = make_prompts(20, seed=40), np.array([7, 2, 11, 3])
    among = subset_of(build_trie(NAMES), some)
    found = beam_search(llm, prompts, among, eos_token_id=EOS, num_beams=3)
    alone = search(llm, prompts, 3, names=[NAMES[index] for index in some])
    assert [each.name_indices for each in found] == [tuple(some[list(each.name_indices)]) for each in alone]
    assert [each.scores for each in found] == [each.scores for each in alone]


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


@pytest.mark.parametrize("setting", [{"num_beams": 0}, {"num_beams": -1}, {"num_beams": 1, "mentions_at_once": 0}])
def test_refuses_numbers_below_one(llm, setting):
    with pytest.raises(ConfigError, match=r"(num_beams|mentions_at_once): must be at least 1, got"):
        search(llm, make_prompts(1), **setting)


@pytest.mark.parametrize("shape", [(WIDTH,), (1, 3, WIDTH), (3, WIDTH + 1), (0, WIDTH)])
def test_refuses_a_prompt_of_another_shape(llm, shape):
    with pytest.raises(ShapeError, match=rf"prompt 1: expected \(length, {WIDTH}\), got"):
        search(llm, [torch.zeros(2, WIDTH), torch.zeros(shape)], 2)


def test_refuses_a_prompt_that_leaves_no_room_for_a_name(llm):
    most = 128 - (DEPTH - 1)
    assert search(llm, [torch.randn(most, WIDTH)], 1)
    with pytest.raises(ShapeError, match=f"prompt 0: {most + 1} positions and names up to {DEPTH} tokens exceed .*128"):
        search(llm, [torch.randn(most + 1, WIDTH)], 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_logits_that_are_not_finite(llm, value):
    prompts = make_prompts(3)
    prompts[1] = torch.full_like(prompts[1], value)
    with pytest.raises(BackboneError, match="mention 1: the LLM's logits are NaN or infinite at generated token 1"):
        search(llm, prompts, 2)


def test_refuses_a_model_in_training_mode():
    with pytest.raises(BackboneError, match=r"opt: in training mode, so dropout would change names; call llm\.eval"):
        search(make_llm("opt").train(), make_prompts(1), 2)


def test_refuses_attention_that_ignores_the_mask():
    llm = make_llm("llama")
    llm.config._attn_implementation = "flash_attention_2"
    with pytest.raises(BackboneError, match="attention 'flash_attention_2' ignores; load the model with"):
        search(llm, make_prompts(1), 2)


def test_refuses_sliding_windows():
    llm = make_llm("llama")
    llm.config.sliding_window = 4
    with pytest.raises(BackboneError, match="only full attention can be searched"):
        search(llm, make_prompts(1), 2)
