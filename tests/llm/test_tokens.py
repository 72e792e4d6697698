"""Tokenizers: what tells them apart, and names as token ids that are the same everywhere."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from gemel.core.errors import BackboneError
from gemel.core.settings import BackboneSettings
from gemel.entities.trie_build import build_trie
from gemel.llm.loading import load_llm
from gemel.llm.names import tokenize_names
from gemel.llm.tokens import load_tokenizer, tokenizer_fingerprint
from gemel.tasks.linking.prompt import demonstration_segment, question

NAMES = ["Jaguar (animal)", "Jaguar", "Zürich", "北京"]


@pytest.fixture(scope="module")
def tokenizer(tiny_backbones: BackboneSettings) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_backbones.llm.model)


def make_sentencepiece_like(words: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that, like Llama's, marks the start of a text: a name inside a sentence gets other ids."""
    pieces = ["<unk>", "<end>", *(f"▁{word}" for word in words), *words]
    tokenizer = Tokenizer(models.WordLevel({piece: index for index, piece in enumerate(pieces)}, "<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("]", "merged_with_previous")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>")


def test_names_are_tokenized_alone(tokenizer: PreTrainedTokenizerBase) -> None:
    assert tokenize_names(NAMES, tokenizer).to_lists() == [
        tokenizer.encode(name, add_special_tokens=False) for name in NAMES
    ]


def test_names_have_no_special_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    assert all(tokenizer.eos_token_id not in ids for ids in tokenize_names(NAMES, tokenizer).to_lists())


def test_name_ids_read_as_the_name(tokenizer: PreTrainedTokenizerBase) -> None:
    assert [tokenizer.decode(ids) for ids in tokenize_names(NAMES, tokenizer).to_lists()] == NAMES


def test_words_like_special_tokens_are_words(tiny_backbones: BackboneSettings) -> None:
    llm = load_llm(tiny_backbones.llm)
    written = f"A {llm.tokenizer.eos_token} of"
    assert llm.eos_token_id not in llm.encode(written)
    assert llm.tokenizer.decode(llm.encode(written)) == written
    assert tokenize_names([written], llm.tokenizer).to_lists() == [llm.encode(written)]


def test_name_has_the_same_ids_in_demonstration_target_and_trie() -> None:
    tokenizer = make_sentencepiece_like(["Jaguar", "[Answer]"])

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False)

    asked = question("seen", "it")
    (alone,) = tokenize_names(["Jaguar"], tokenizer).to_lists()
    # With such a tokenizer one string would not do: this is the trap that the rule is for.
    assert encode(asked + "Jaguar")[-len(alone) :] != alone
    shown = demonstration_segment("seen", "it", "Jaguar", None, encode).token_ids
    assert shown == (*encode(asked), *alone, *encode("\n"))
    trie, state = build_trie([alone]), 0
    for token in encode("Jaguar"):
        state = trie.child(state, token)
    assert trie.names_at(np.array([state])).tolist() == [0]


def test_name_in_its_segment_has_the_ids_that_it_has_in_the_sentence() -> None:
    tokenizer = make_sentencepiece_like(["Jaguar", "[Answer]"])

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False)

    apart = demonstration_segment("seen", "it", "Jaguar", None, encode).token_ids
    together = demonstration_segment("seen", "it", "Jaguar", None, encode, "in_segment").token_ids
    assert together == tuple(encode(f"{question('seen', 'it')}Jaguar\n"))
    assert together != apart


def test_fingerprint_is_repeatable(tokenizer: PreTrainedTokenizerBase, tiny_backbones: BackboneSettings) -> None:
    assert tokenizer_fingerprint(load_tokenizer(tiny_backbones.llm.model)) == tokenizer_fingerprint(tokenizer)


def test_fingerprint_changes_with_the_vocabulary() -> None:
    prints = {tokenizer_fingerprint(make_sentencepiece_like([word])) for word in ("Jaguar", "jaguar")}
    assert len(prints) == 2


def test_fingerprint_changes_with_the_order_of_the_vocabulary() -> None:
    prints = {tokenizer_fingerprint(make_sentencepiece_like(words)) for words in (["a", "b"], ["b", "a"])}
    assert len(prints) == 2


def test_fingerprint_changes_with_an_added_token(tiny_backbones: BackboneSettings) -> None:
    other = load_tokenizer(tiny_backbones.llm.model)
    before = tokenizer_fingerprint(other)
    other.add_tokens(["<image>"])
    assert tokenizer_fingerprint(other) != before


def test_fingerprint_changes_with_the_split_of_a_text(
    tokenizer: PreTrainedTokenizerBase, tiny_backbones: BackboneSettings
) -> None:
    other = load_tokenizer(tiny_backbones.llm.model)
    other.backend_tokenizer.normalizer = normalizers.Lowercase()
    assert other.get_vocab() == tokenizer.get_vocab()
    assert tokenizer_fingerprint(other) != tokenizer_fingerprint(tokenizer)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="no: no such folder; run `dvc pull`, or name a hub id or folder in conf"):
        load_tokenizer(str(tmp_path / "no"))


def test_folder_without_a_tokenizer_is_refused(tmp_path: Path, tiny_backbones: BackboneSettings) -> None:
    shutil.copy(Path(tiny_backbones.llm.model) / "config.json", tmp_path)
    with pytest.raises(BackboneError, match=r"can't be loaded \(.*\); its files may be damaged or cut off"):
        load_tokenizer(str(tmp_path))


def test_tokenizer_without_eos_is_refused(tmp_path: Path, tiny_backbones: BackboneSettings) -> None:
    folder = shutil.copytree(tiny_backbones.llm.model, tmp_path / "llm")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["eos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match="no EOS token, so names could not end; choose another LLM"):
        load_tokenizer(str(folder))


def test_llm_is_frozen(tiny_backbones: BackboneSettings) -> None:
    llm = load_llm(tiny_backbones.llm)
    assert not any(parameter.requires_grad for parameter in llm.model.parameters())
    assert not llm.model.training


def test_bos_is_refused_where_the_tokenizer_has_none(tiny_backbones: BackboneSettings) -> None:
    with pytest.raises(BackboneError, match="no BOS token; set leading_bos: false"):
        load_llm(tiny_backbones.llm).leading_ids(True)
