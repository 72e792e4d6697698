"""The stage `entity_trie`: every name of the catalog, as the LLM's tokenizer spells it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gemel.core.artifacts import artifact_hash, read_manifest
from gemel.core.errors import ArtifactError, BackboneError
from gemel.core.settings import BackboneSettings
from gemel.entities.catalog import Catalog
from gemel.entities.trie import ROOT, read_trie
from gemel.llm.tokens import load_tokenizer, tokenizer_fingerprint
from gemel.stages import ENTITY_TRIE, POSTS
from gemel.stages import entity_trie as stage
from stages.project_changes import set_param


@pytest.mark.usefixtures("in_project")
def test_every_name_is_found_by_its_tokens(tiny_backbones: BackboneSettings) -> None:
    tokenizer, trie = load_tokenizer(tiny_backbones.llm.model), read_trie(ENTITY_TRIE)
    for index, name in enumerate(Catalog.read(POSTS / "entities.parquet").names):
        state = ROOT
        for token in tokenizer.encode(name, add_special_tokens=False):
            state = trie.child(state, token)
        assert trie.names_at(np.array([state])).tolist() == [index]


@pytest.mark.usefixtures("in_project")
def test_manifest_holds_the_tokenizers_fingerprint(tiny_backbones: BackboneSettings) -> None:
    facts = read_manifest(ENTITY_TRIE, "entity_trie", check_hashes=True)
    assert facts["tokenizer"] == tokenizer_fingerprint(load_tokenizer(tiny_backbones.llm.model))
    assert (facts["names"], facts["nodes"]) == (5, len(read_trie(ENTITY_TRIE)))


@pytest.mark.usefixtures("project_copy")
def test_second_run_gives_the_same_artifact() -> None:
    before = artifact_hash(ENTITY_TRIE)
    stage.main()
    assert artifact_hash(ENTITY_TRIE) == before


@pytest.mark.usefixtures("project_copy")
def test_missing_posts_name_their_stage() -> None:
    shutil.rmtree(POSTS)
    with pytest.raises(ArtifactError, match=r"artifacts/posts: no manifest.json.*; run `dvc repro posts`"):
        stage.main()


def test_missing_tokenizer_is_refused(project_copy: Path) -> None:
    set_param(project_copy, "backbone.llm.model", "./gone")
    with pytest.raises(BackboneError, match=r"./gone: no such folder; run `dvc pull`"):
        stage.main()
