"""Loading a frozen LLM with quantized weights."""

import pytest
import torch

from gemel.core.errors import BackboneError
from gemel.core.settings import BackboneSettings
from gemel.entities.trie_build import build_trie
from gemel.llm import backbone
from gemel.llm.backbone import load_llm
from gemel.llm.search import BeamSearch
from gemel.llm.segments import Prompt, Segment


@pytest.mark.parametrize(("weights", "layer"), [("8bit", "Linear8bitLt"), ("4bit", "Linear4bit")])
def test_quantized_llm_is_searched_like_any_other(tiny_backbones: BackboneSettings, weights, layer) -> None:
    pytest.importorskip("bitsandbytes")
    full, small = (load_llm(tiny_backbones.llm.model, weights=each) for each in ("full", weights))
    assert type(small.model.get_submodule("model.layers.0.mlp.up_proj")).__name__ == layer
    assert not any(parameter.requires_grad for parameter in small.model.parameters())
    names = [tuple(full.encode(name)) for name in ("Jaguar", "Jaguar Cars", "Amazon", "Mercury")]
    scores = []
    for llm in (full, small):
        search = BeamSearch(llm.model, build_trie(names), eos_token_id=llm.eos_token_id, num_beams=4)
        (found,) = search.find([Prompt((Segment(tuple(llm.encode("The Jaguar slept"))),))])
        by_name = dict(zip(found.name_indices, found.scores, strict=True))
        scores.append(torch.tensor([by_name[index] for index in range(4)]))
    torch.testing.assert_close(scores[0], scores[1], atol=0.5, rtol=0)
    assert not torch.equal(scores[0], scores[1])


def test_quantized_weights_without_their_library_are_refused(
    tiny_backbones: BackboneSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbone, "find_spec", lambda _: None)
    with pytest.raises(BackboneError, match=r"8bit needs bitsandbytes .* run `pip install 'gemel\[quantized\]'"):
        load_llm(tiny_backbones.llm.model, weights="8bit")
