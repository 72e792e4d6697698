"""Free writing is transformers' beam search, and a text ends with its line."""

import math

import pytest
import torch
from transformers import GenerationConfig

from gemel.baselines.free_text import FreeWriter, Written
from gemel.core.settings import BackboneSettings
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.llm.segments import Prompt, Segment

BEAMS, NEW_TOKENS = 3, 6
WORDS = ("Look, Jaguar again", "All about Mercury", "Look, Amazon again", "All about Jaguar")


@pytest.fixture(scope="module")
def llm(tiny_backbones: BackboneSettings) -> FrozenLLM:
    return load_llm(tiny_backbones.llm)


def writer(llm: FrozenLLM, positions: int = 10_000, beams: int = BEAMS) -> FreeWriter:
    return FreeWriter(llm, num_beams=beams, new_tokens=NEW_TOKENS, positions_at_once=positions)


def prompts(llm: FrozenLLM) -> list[Prompt]:
    soft = torch.randn(2, llm.width, generator=torch.Generator().manual_seed(0))
    shown = Segment(tuple(llm.encode("What? That.\n")))
    return [Prompt((Segment(tuple(llm.encode(words)), soft),), (shown,)) for words in WORDS]


def test_texts_are_those_that_transformers_generates(llm: FrozenLLM) -> None:
    ids = torch.tensor([llm.encode(WORDS[0])])
    eos = [llm.eos_token_id, *llm.encode("\n")]
    config = GenerationConfig(max_new_tokens=NEW_TOKENS, num_beams=BEAMS, do_sample=False, eos_token_id=eos)
    with torch.inference_mode():
        theirs = llm.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    text = llm.tokenizer.decode(theirs[0, ids.shape[1] :], skip_special_tokens=True)
    (ours,) = writer(llm).write([Prompt((Segment(tuple(ids[0].tolist())),))])
    assert ours[0].text == text.split("\n")[0].strip()


def test_texts_do_not_depend_on_the_batch(llm: FrozenLLM) -> None:
    together, alone = (writer(llm, positions).write(prompts(llm)) for positions in (10_000, 1))
    assert [[each.text for each in texts] for texts in together] == [[each.text for each in texts] for texts in alone]


def test_best_text_comes_first(llm: FrozenLLM) -> None:
    for texts in writer(llm).write(prompts(llm)):
        scores = [each.score for each in texts]
        assert scores == sorted(scores, reverse=True)
        assert len({each.text for each in texts}) == len(texts) <= BEAMS


def test_one_beam_has_no_score(llm: FrozenLLM) -> None:
    for texts in writer(llm, beams=1).write(prompts(llm)):
        assert [math.isnan(each.score) for each in texts] == [True]


def test_text_ends_with_its_line_and_is_there_once(llm: FrozenLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    output = type("Output", (), {"sequences": torch.zeros(3, 1), "sequences_scores": torch.tensor([-1.0, -2.0, -3.0])})
    monkeypatch.setattr(llm.model, "generate", lambda **_: output)
    decoded = [" Jaguar (car)\n[Text]more", "Jaguar (car)", "Jaguar"]
    monkeypatch.setattr(llm.tokenizer, "batch_decode", lambda *_, **__: decoded)
    (texts,) = writer(llm).write(prompts(llm)[:1])
    assert texts == [Written("Jaguar (car)", -1.0), Written("Jaguar", -3.0)]
