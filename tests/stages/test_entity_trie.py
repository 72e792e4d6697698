"""The stage `entity_trie`: every name of the catalog, as the LLM's tokenizer spells it."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gemel.core.artifacts import artifact_hash, read_manifest
from gemel.core.errors import ArtifactError, BackboneError
from gemel.core.schema import Mention, Post
from gemel.core.settings import BackboneSettings
from gemel.entities.catalog import Catalog
from gemel.entities.trie import OWNERS, ROOT, read_trie
from gemel.llm.tokens import load_tokenizer, tokenizer_fingerprint
from gemel.predictor import Linker
from gemel.stages import ENTITY_TRIE, EVALUATION, POSTS, RELEASE, evaluation, release
from gemel.stages import entity_trie as stage
from stages.project_changes import set_param, set_table


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


def give_aliases(root: Path, *, wanted: bool, **aliases: list[str]) -> None:
    """Make the trie of entities that have these aliases. wanted: whether the trie shall have them."""
    table = pl.read_parquet(POSTS / "entities.parquet")
    lists = pl.Series("aliases", [aliases.get(name, []) for name in table["name"]], dtype=pl.List(pl.String))
    set_table(POSTS, "entities.parquet", table.with_columns(lists))
    set_param(root, "entity_trie", {"aliases": wanted})
    stage.main()


@pytest.mark.filterwarnings("ignore:The tiny models know nothing")
def test_alias_leads_to_its_entity_in_every_stage(project_copy: Path, tiny_backbones: BackboneSettings) -> None:
    give_aliases(project_copy, wanted=True, Amazon=["Rio Amazonas", "Jaguar (animal)"])
    trie, catalog = read_trie(ENTITY_TRIE), Catalog.read(POSTS / "entities.parquet")
    tokenizer = load_tokenizer(tiny_backbones.llm.model)
    alias = tokenizer.encode("Rio Amazonas", add_special_tokens=False)
    assert catalog.names[trie.index_of(alias)] == "Amazon"
    facts = read_manifest(ENTITY_TRIE, "entity_trie", check_hashes=True)
    # The labels of the two pairs are shared, and each counts for both of its entities.
    assert (facts["names"], facts["aliases"]) == (5, 1)
    assert facts["aliases_left_out"] == {"anothers_name": 1, "shared": 4, "tokens": 0}
    evaluation.main()
    answers = pl.read_parquet(EVALUATION / "predictions.parquet")["answers"].to_list()
    assert all(len(row) == len({*row}) > 0 for row in answers)
    assert json.loads((EVALUATION / "protocol.json").read_text())["aliases in the trie"] == 1
    release.main()
    (link,) = Linker.load(RELEASE).link([Post("On the Amazon", (Mention("Amazon"),))], results=1)
    assert len(link.candidates) == 1


@pytest.mark.usefixtures("in_project")
def test_manifest_says_nothing_of_aliases_where_there_are_none() -> None:
    assert not [key for key in read_manifest(ENTITY_TRIE, "entity_trie") if "alias" in key]
    assert not (ENTITY_TRIE / OWNERS).exists()


@pytest.mark.parametrize("alias", ["A", "Amazonas River"])
@pytest.mark.filterwarnings("ignore:The tiny models know nothing")
def test_entity_is_scored_by_the_best_of_its_names(alias: str, project_copy: Path) -> None:
    post = Post("On the Amazon", (Mention("Amazon", candidates=("Q3783",)),))

    def score() -> float:
        release.main()
        (link,) = Linker.load(RELEASE).link([post])
        assert [candidate.entity_id for candidate in link.candidates] == ["Q3783"]
        return link.best.score

    by_name = score()
    give_aliases(project_copy, wanted=True, Amazon=[alias])
    by_both = score()
    # The alias alone is what the entity scores if it is its name.
    table = pl.read_parquet(POSTS / "entities.parquet")
    named = pl.when(pl.col("name") == "Amazon").then(pl.lit(alias)).otherwise("name").alias("name")
    set_table(POSTS, "entities.parquet", table.with_columns(named))
    give_aliases(project_copy, wanted=False)
    assert by_both == pytest.approx(max(by_name, score()), abs=1e-4)
