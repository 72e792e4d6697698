"""A search that keeps contexts finds what one finds that reads them anew, and reads less."""

from collections.abc import Sequence
from threading import Thread

import pytest
import torch
from families import EOS, VOCAB, make_model
from torch import Tensor
from transformers import PreTrainedModel

from gemel.core.errors import BackboneError, ConfigError
from gemel.entities.trie_build import build_trie
from gemel.llm.search import BeamSearch, Hypotheses
from gemel.llm.segments import Prompt, Segment

WIDTH = 32
LENGTHS = (17, 30, 9, 30)
NAMES = sorted({tuple((3 + place * stride) % 20 + 3 for place in range(3)) for stride in range(1, 20)})


@pytest.fixture(params=["llama", "opt", "mistral", "gpt_neox", "gemma2", "phi3"])
def llm(request: pytest.FixtureRequest) -> PreTrainedModel:
    return make_model(request.param)


@pytest.fixture
def llama() -> PreTrainedModel:
    return make_model("llama")


def make_context(number: int) -> tuple[Segment, ...]:
    """A demonstration with soft tokens, in a new tuple each time."""
    generator = torch.Generator().manual_seed(number)
    ids = torch.randint(3, VOCAB, (LENGTHS[number] - 2,), generator=generator).tolist()
    return (Segment(tuple(ids), torch.randn(2, WIDTH, generator=generator)),)


def make_calls() -> list[list[Prompt]]:
    """Calls whose contexts come again, in mentions that are alone with them and in some that share them."""
    generator = torch.Generator().manual_seed(9)
    calls = []
    for numbers in ([0], [0, 1, 1, 2], [0, 0, 3, 1, 2, 2], [3, 1, 0], [2, 2, 2, 3]):
        contexts = {number: make_context(number) for number in numbers}
        lengths = torch.randint(1, 8, (len(numbers),), generator=generator).tolist()
        queries = [Segment((), torch.randn(length, WIDTH, generator=generator)) for length in lengths]
        calls.append([Prompt((query,), contexts[at], at) for query, at in zip(queries, numbers, strict=True)])
    return calls


def searching(llm: PreTrainedModel, **settings: int) -> BeamSearch:
    return BeamSearch(llm, build_trie(NAMES), eos_token_id=EOS, num_beams=4, **settings)


def assert_same(ours: Sequence[Hypotheses], theirs: Sequence[Hypotheses]) -> None:
    assert [each.name_indices for each in ours] == [each.name_indices for each in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-5)


def context_bytes(llm: PreTrainedModel, positions: int) -> int:
    config = llm.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * 4 * config.num_hidden_layers * heads * head_dim * positions


def watch_positions(llm: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Positions of prompts that each forward pass reads, as they come."""
    positions: list[int] = []
    forward = type(llm).forward

    def watch(self: PreTrainedModel, **inputs: Tensor) -> object:
        if "inputs_embeds" in inputs:
            positions.append(inputs["inputs_embeds"].shape[0] * inputs["inputs_embeds"].shape[1])
        return forward(self, **inputs)

    monkeypatch.setattr(type(llm), "forward", watch)
    return positions


def test_lone_and_shared_mentions_get_the_same_names_and_scores(llm: PreTrainedModel) -> None:
    plain, keeping = searching(llm), searching(llm, kept_bytes=2**20)
    for prompts in make_calls() + make_calls():
        assert_same(keeping.find(prompts), plain.find(prompts))
    assert keeping.kept is not None
    assert keeping.kept.facts().found > 10


@pytest.mark.parametrize("tokens_at_once", [1, 300])
def test_batches_of_any_size_get_the_same(llama: PreTrainedModel, tokens_at_once: int) -> None:
    plain, keeping = searching(llama), searching(llama, kept_bytes=2**20, tokens_at_once=tokens_at_once)
    for prompts in make_calls() + make_calls():
        assert_same(keeping.find(prompts), plain.find(prompts))


def test_room_for_one_context_changes_no_score(llama: PreTrainedModel) -> None:
    plain, keeping = searching(llama), searching(llama, kept_bytes=context_bytes(llama, max(LENGTHS)))
    for prompts in make_calls() + make_calls():
        assert_same(keeping.find(prompts), plain.find(prompts))


def test_half_precision_is_kept_as_it_is(llama: PreTrainedModel) -> None:
    llama.to(torch.bfloat16)
    keeping = searching(llama, kept_bytes=2**20)
    for _ in range(3):
        keeping.find([Prompt((Segment((5, 6)),), make_context(0), 0)])
    assert keeping.kept is not None
    assert keeping.kept.facts().size == context_bytes(llama, LENGTHS[0]) // 2
    assert keeping.kept.facts().found == 1


def test_only_the_query_of_a_kept_context_is_read(llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    keeping, positions = searching(llama, kept_bytes=2**20), watch_positions(llama, monkeypatch)
    for _ in range(3):
        keeping.find([Prompt((Segment((5, 6, 7)),), make_context(0), 0)])
    assert positions == [LENGTHS[0] + 3, LENGTHS[0] + 3, 3]


def test_mentions_that_share_a_kept_context_read_their_queries_alone(
    llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping, positions = searching(llama, kept_bytes=2**20), watch_positions(llama, monkeypatch)
    for _ in range(3):
        context = make_context(1)
        keeping.find([Prompt((Segment((5, 6, 7)),), context, 1), Prompt((Segment((8, 9)),), context, 1)])
    assert positions == [LENGTHS[1], 5, LENGTHS[1], 5, 5]


def test_context_under_another_key_is_read(llama: PreTrainedModel) -> None:
    plain, keeping = searching(llama), searching(llama, kept_bytes=2**20)
    for number in (0, 0, 0, 1, 2):
        prompts = [Prompt((Segment((5, 6)),), make_context(number), number)]
        assert_same(keeping.find(prompts), plain.find(prompts))


def test_without_a_key_nothing_is_kept(llama: PreTrainedModel) -> None:
    keeping, context = searching(llama, kept_bytes=2**20), make_context(0)
    for _ in range(3):
        keeping.find([Prompt((Segment((5,)),), context), Prompt((Segment((5,)),), (), "no context")])
    assert keeping.kept is not None
    assert keeping.kept.facts().missed == 0


def test_nothing_is_kept_unless_it_is_asked_for(llama: PreTrainedModel) -> None:
    assert searching(llama).kept is None


def test_bytes_held_are_those_of_keys_and_values(llm: PreTrainedModel) -> None:
    keeping = searching(llm, kept_bytes=2**20)
    for number in (0, 0, 1, 1):
        keeping.find([Prompt((Segment((5, 6)),), make_context(number), number)])
    assert keeping.kept is not None
    assert keeping.kept.facts().size == context_bytes(llm, LENGTHS[0] + LENGTHS[1])
    layers = [layer for number in (0, 1) for layer in keeping.kept.find(number) or ()]
    stored = sum(states.untyped_storage().nbytes() for layer in layers for states in layer)
    assert stored == keeping.kept.facts().size


def test_prompt_that_can_not_be_searched_is_not_kept(llama: PreTrainedModel) -> None:
    keeping, broken = searching(llama, kept_bytes=2**20), Segment((), torch.full((2, WIDTH), torch.nan))
    for _ in range(3):
        with pytest.raises(BackboneError, match="mention 0: the LLM's logits are NaN"):
            keeping.find([Prompt((Segment((5,)),), (broken,), 0)])
    assert keeping.kept is not None
    assert keeping.kept.facts().contexts == 0
    prompts = [Prompt((Segment((5,)),), make_context(0), 0)]
    assert_same(keeping.find(prompts), searching(llama).find(prompts))


def fail_while_kept(keeping: BeamSearch, llm: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the passes behind the prompts run out of memory while contexts are kept."""
    forward = type(llm).forward

    def fail(self: PreTrainedModel, **inputs: Tensor) -> object:
        assert keeping.kept is not None
        if "input_ids" in inputs and keeping.kept.facts().contexts:
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
        return forward(self, **inputs)

    monkeypatch.setattr(type(llm), "forward", fail)


def test_out_of_memory_gives_kept_contexts_up_before_the_batch_shrinks(
    llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, keeping = searching(llama), searching(llama, kept_bytes=2**20)
    prompts = [Prompt((Segment((5, 6)),), make_context(0), 0)]
    expected = plain.find(prompts)
    fail_while_kept(keeping, llama, monkeypatch)
    for _ in range(3):
        assert_same(keeping.find(prompts), expected)
    assert keeping.kept is not None
    assert keeping.kept.facts().contexts == 0
    assert keeping.kept.max_bytes == 2**18
    assert keeping.tokens_at_once == plain.tokens_at_once


def test_out_of_memory_without_kept_contexts_is_still_an_error(
    llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")

    keeping = searching(llama, kept_bytes=2**20)
    monkeypatch.setattr(type(llama), "forward", fail)
    with pytest.raises(BackboneError, match=r"mention 0: its prompt of 19 positions alone needs more memory"):
        keeping.find([Prompt((Segment((5, 6)),), make_context(0), 0)])


def test_threads_share_what_is_kept(llama: PreTrainedModel) -> None:
    calls = make_calls() * 3
    expected = [searching(llama).find(prompts) for prompts in calls]
    # Room for two or three contexts, so that threads drive out what others use.
    keeping = searching(llama, kept_bytes=context_bytes(llama, 60))
    found: list[list[list[Hypotheses]]] = []
    threads = [Thread(target=lambda: found.append([keeping.find(prompts) for prompts in calls])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for ours in found:
        for one, other in zip(ours, expected, strict=True):
            assert_same(one, other)
    assert keeping.kept is not None
    assert keeping.kept.facts().size <= keeping.kept.max_bytes


def test_refuses_to_keep_less_than_nothing(llama: PreTrainedModel) -> None:
    with pytest.raises(ConfigError, match="kept_bytes: must be at least 0, got -1"):
        searching(llama, kept_bytes=-1)
