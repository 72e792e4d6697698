"""The stage `evaluation`: predictions of every variant, and figures under the names that others read."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gemel.core.artifacts import artifact_hash, read_manifest
from gemel.core.errors import ArtifactError, ShapeError
from gemel.core.settings import Rescoring
from gemel.entities.catalog import Catalog
from gemel.stages import DEMONSTRATIONS, ENTITY_TRIE, EVALUATION, IMAGE_FEATURES, MAPPER, METRICS, POSTS, RESCORING
from gemel.stages import evaluation as stage
from stages.project_changes import set_fact, set_param

FIGURES = (
    "accuracy",
    "hits_at_5",
    "accuracy_without_image",
    "accuracy_without_demonstrations",
    "accuracy_gold_caption",
    "image_gain",
    "demonstration_gain",
    "accuracy_head",
    "accuracy_random",
)
# Slices that this world does not have, or that have no gap to close, are there but empty.
PERHAPS = ("gap_closed", "accuracy_tail", "accuracy_unseen", "accuracy_imputed_image")


def metrics() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(METRICS.read_text())
    return found


@pytest.fixture
def predictions(in_project: Path) -> pl.DataFrame:
    return pl.read_parquet(in_project / EVALUATION / stage.PREDICTIONS)


@pytest.mark.usefixtures("in_project")
@pytest.mark.parametrize("split", ["dev", "test"])
def test_figures_have_their_names_and_parts(split: str) -> None:
    figures = metrics()[split]
    for name in FIGURES:
        assert {"mean", "low", "high", "n", "seeds"} <= set(figures[name])
        assert figures[name]["low"] <= figures[name]["mean"] <= figures[name]["high"]
    assert set(PERHAPS) <= set(figures)


@pytest.mark.usefixtures("in_project")
def test_accuracy_averages_over_seeds_and_mentions() -> None:
    assert (metrics()["test"]["accuracy"]["n"], metrics()["test"]["accuracy"]["seeds"]) == (5, 2)


@pytest.mark.usefixtures("in_project")
def test_mention_without_an_entity_is_counted_not_graded() -> None:
    assert metrics()["test"]["counts"] == {
        "mentions": 5,
        "nil": 1,
        "out_of_kb": 0,
        "imputed_image": 0,
        "shortened_prompts": 0,
        "windowed_texts": 0,
    }


@pytest.mark.usefixtures("in_project")
def test_mentions_that_are_found_are_counted_beside_the_given_ones() -> None:
    found = metrics()["test"]["mentions_auto"]
    # The tiny world's texts hold nothing but their mentions; one of the six is NIL.
    assert found["counts"] == {"posts": 6, "found": 6, "given": 6, "posts_without_a_find": 0}
    assert (found["span_f1"]["mean"], found["span_f1"]["n"]) == (1.0, 6)
    accuracy = metrics()["test"]["accuracy"]["mean"]
    assert found["end_to_end_recall"]["mean"] == pytest.approx(accuracy, abs=1e-6)
    assert found["end_to_end_precision"]["mean"] == pytest.approx(accuracy * 5 / 6, abs=1e-6)


def test_metrics_follow_from_the_predictions(predictions: pl.DataFrame) -> None:
    full = predictions.filter((pl.col("variant") == "full") & (pl.col("split") == "test"))
    assert metrics()["test"]["accuracy"]["mean"] == pytest.approx((full["place"] == 1).mean(), abs=1e-6)


def test_every_variant_and_seed_is_predicted(predictions: pl.DataFrame) -> None:
    runs = predictions.group_by("variant").agg(pl.col("seed").n_unique(), pl.len()).rows()
    assert {name: (seeds, rows) for name, seeds, rows in runs} == {
        "full": (2, 20),
        "without image": (1, 10),
        "post without image": (2, 20),
        "without demonstrations": (2, 20),
        "gold caption": (1, 10),
        "random demonstrations": (2, 20),
    }


def test_every_answer_is_an_entity_of_the_catalog(predictions: pl.DataFrame, in_project: Path) -> None:
    catalog = Catalog.read(in_project / POSTS / "entities.parquet")
    assert all(entity_id in catalog for entity_id in predictions["answers"].explode().unique())


@pytest.mark.usefixtures("in_project")
def test_plots_and_manifest_are_there() -> None:
    facts = read_manifest(EVALUATION, "evaluation", check_hashes=True)
    assert facts["seeds"] == [0, 1]
    assert json.loads((EVALUATION / "ablations.json").read_text())[0]["what"] == "accuracy"


@pytest.mark.usefixtures("in_project")
def test_without_rescoring_nothing_is_fitted() -> None:
    assert json.loads(RESCORING.read_text()) is None
    assert metrics()["test"]["accuracy_without_entity_images"] is None


@pytest.mark.usefixtures("project_copy")
def test_rescored_linker_stands_beside_the_llm_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "read_rescoring", lambda _: Rescoring(slope=50.0, level=0.0))
    before = pl.read_parquet(EVALUATION / stage.PREDICTIONS)
    stage.main()
    after = pl.read_parquet(EVALUATION / stage.PREDICTIONS)

    def of(table: pl.DataFrame, variant: str) -> pl.DataFrame:
        return table.filter(pl.col("variant") == variant).drop("variant")

    assert_frame_equal(of(after, "without entity images"), of(before, "full"))
    assert_frame_equal(of(after, "without image"), of(before, "without image"))
    assert of(after, "full")["scores"].to_list() != of(before, "full")["scores"].to_list()
    gain = metrics()["test"]["entity_image_gain"]["mean"]
    assert gain == pytest.approx(
        metrics()["test"]["accuracy"]["mean"] - metrics()["test"]["accuracy_without_entity_images"]["mean"], abs=1e-5
    )


def test_by_name_entities_of_one_name_are_one_answer(project_copy: Path) -> None:
    before = pl.read_parquet(EVALUATION / stage.PREDICTIONS)
    set_param(project_copy, "evaluation.graded_by", "name")
    stage.main()
    after = pl.read_parquet(EVALUATION / stage.PREDICTIONS)
    assert after["answers"].to_list() == before["answers"].to_list()
    names = dict(pl.read_parquet(POSTS / "entities.parquet").select("entity_id", "label").iter_rows())
    hits = [names[row["answers"][0]] == names[row["entity_id"]] for row in after.iter_rows(named=True)]
    assert (after["place"] == 1).to_list() == hits
    assert sum(hits) > (before["place"] == 1).sum()
    assert (metrics()["graded_by"], read_manifest(EVALUATION, "evaluation")["graded_by"]) == ("name", "name")


def test_answers_do_not_depend_on_how_many_are_asked_at_once(project_copy: Path) -> None:
    before = pl.read_parquet(EVALUATION / stage.PREDICTIONS)
    set_param(project_copy, "runtime.queries_at_once", 2)
    stage.main()
    after = pl.read_parquet(EVALUATION / stage.PREDICTIONS)
    assert after["answers"].to_list() == before["answers"].to_list()


@pytest.mark.usefixtures("project_copy")
def test_trie_of_other_names_is_refused() -> None:
    set_fact(ENTITY_TRIE, "names_sha256", "0" * 64)
    with pytest.raises(ArtifactError, match=r"built for names_sha256 '0{64}', but .*; run `dvc repro entity_trie`"):
        stage.main()


@pytest.mark.usefixtures("project_copy")
def test_trie_of_another_tokenizer_is_refused() -> None:
    before = artifact_hash(EVALUATION)
    set_fact(ENTITY_TRIE, "tokenizer", "0" * 64)
    with pytest.raises(ArtifactError, match=r"built for tokenizer '0{64}', but .*; run `dvc repro entity_trie`"):
        stage.main()
    assert artifact_hash(EVALUATION) == before


@pytest.mark.usefixtures("project_copy")
def test_features_of_another_width_are_refused() -> None:
    set_fact(IMAGE_FEATURES, "width", 99)
    with pytest.raises(
        ShapeError, match=r"a mapper 99 -> 2 x 32, as the frozen models need it, .*run `dvc repro mapper`"
    ):
        stage.main()


@pytest.mark.usefixtures("project_copy")
def test_mapper_of_another_encoder_is_refused() -> None:
    set_fact(IMAGE_FEATURES, "encoder", "another")
    with pytest.raises(ArtifactError, match=r"built for encoder '.*', but 'another' is in use; run `dvc repro mapper`"):
        stage.main()


@pytest.mark.parametrize(
    "folder", [POSTS, IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE, MAPPER], ids=lambda folder: folder.name
)
@pytest.mark.usefixtures("project_copy")
def test_missing_artifact_names_its_stage(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match=rf"artifacts/{folder.name}: .*; run `dvc repro {folder.name}`"):
        stage.main()
