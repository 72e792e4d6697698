"""A published prefix tree becomes entities: decoded, counted, and told from what the tokenizer says today."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from gemel.core.errors import BackboneError, DataError
from gemel.core.settings import BackboneSettings
from gemel.llm.tokens import load_tokenizer
from gemel.posts.dataset import read_dataset
from gemel.trie_import import import_trie

NAMES = ("Okapi", "Okapi (band)", "Zürich", "北京", "Do n't , they said .", "Mercury")


@pytest.fixture(scope="module")
def tokenizer(tiny_backbones: BackboneSettings) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_backbones.llm.model)


@pytest.fixture
def dataset(tiny_dataset: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_dataset, tmp_path / "tiny")


def write_tree(path: Path, eos: int, sequences: list[list[int]]) -> Path:
    tree: dict[int, Any] = {}
    for ids in sequences:
        node = tree
        for token in (eos, *ids, eos):
            node = node.setdefault(token, {})
    path.write_bytes(pickle.dumps(tree))
    return path


def encoded(tokenizer: PreTrainedTokenizerBase, *names: str) -> list[list[int]]:
    return [tokenizer.encode(name, add_special_tokens=False) for name in names]


def test_names_join_the_entities(
    tokenizer: PreTrainedTokenizerBase, tiny_backbones: BackboneSettings, dataset: Path, tmp_path: Path
) -> None:
    source = write_tree(tmp_path / "tree.pkl", tokenizer.eos_token_id, encoded(tokenizer, *NAMES))
    report = import_trie(source, dataset, tiny_backbones.llm.model)
    assert (report.names, report.already_there, report.added, report.split_otherwise) == (6, 1, 5, 0)
    entities = read_dataset(dataset).entities
    assert {entity.entity_id for entity in entities[5:]} == {f"enwiki:{name}" for name in NAMES[:-1]}
    facts = json.loads((dataset / "dataset.json").read_text())["added_titles"]
    assert (facts["source"], facts["tokenizer"]) == ("tree.pkl", tiny_backbones.llm.model)


def test_names_that_the_tokenizer_splits_otherwise_are_counted(
    tokenizer: PreTrainedTokenizerBase, tiny_backbones: BackboneSettings, dataset: Path, tmp_path: Path
) -> None:
    names = ["Okapi", " Zebra", "Quagga"]
    source = write_tree(tmp_path / "tree.pkl", tokenizer.eos_token_id, encoded(tokenizer, *names))
    report = import_trie(source, dataset, tiny_backbones.llm.model)
    assert (report.added, report.split_otherwise, report.first_split_otherwise) == (3, 1, ["Zebra"])


def test_repeated_and_empty_names_are_counted(
    tokenizer: PreTrainedTokenizerBase, tiny_backbones: BackboneSettings, dataset: Path, tmp_path: Path
) -> None:
    source = write_tree(tmp_path / "tree.pkl", tokenizer.eos_token_id, encoded(tokenizer, "", "Okapi", " Okapi"))
    report = import_trie(source, dataset, tiny_backbones.llm.model)
    counts = report.counts()
    assert counts.pop("split_otherwise") == 1
    assert counts == {"names": 3, "already_there": 0, "added": 1, "repeated": 1, "rejected": 1}


def test_tree_of_another_tokenizer_is_refused(
    tokenizer: PreTrainedTokenizerBase, tiny_backbones: BackboneSettings, dataset: Path, tmp_path: Path
) -> None:
    source = write_tree(tmp_path / "tree.pkl", tokenizer.eos_token_id, [[len(tokenizer)]])
    before = (dataset / "entities.jsonl").read_bytes()
    with pytest.raises(DataError, match=r"expected token ids from 0 to \d+, found \d+; name the tokenizer"):
        import_trie(source, dataset, tiny_backbones.llm.model)
    assert (dataset / "entities.jsonl").read_bytes() == before


def test_missing_tokenizer_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="no such folder"):
        import_trie(tmp_path / "tree.pkl", dataset, str(tmp_path / "gone"))
