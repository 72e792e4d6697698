"""The page of a run: what it says, from the artifacts of the stages and from made ones."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from stages.project_changes import set_fact

from gemel.core.errors import ArtifactError, RequestError
from gemel.report import run as run_module
from gemel.report.page import run_page
from gemel.report.run import artifacts_folder, read_run
from gemel.stages import EVALUATION, METRICS, evaluation
from report.synthetic_run import RIGHT, WRONG, figure, make_run


def words_of(html: str) -> str:
    """The page's text without its scripts and tags."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_names_are_those_of_the_stage() -> None:
    assert (evaluation.PREDICTIONS, METRICS.name) == (run_module.PREDICTIONS, run_module.METRICS)


def test_page_of_a_finished_run(in_project: Path) -> None:
    run = read_run(artifacts_folder(in_project))
    page = run_page(run)
    assert (page.mentions, page.seed) == (10, run.summary["best_seed"])
    text = words_of(page.html)
    assert "data set tiny" in text
    assert "demonstrations 2 by bm25" in text
    assert f"the answers of the best seed on dev, seed {page.seed} ." in text
    for title in ("Protocol", "Results", "Slices", "Training", "Calibration", "Confusions", "Browser"):
        assert title in text
    assert page.html.count("data:image/webp;base64,") == 10
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page.html)


def test_same_run_gives_the_same_page(tmp_path: Path) -> None:
    run = make_run(tmp_path, [WRONG, RIGHT])
    assert run_page(run).html == run_page(run).html


@pytest.mark.parametrize("stage", ["posts", "demonstrations", "entity_trie", "mapper", "evaluation"])
def test_interrupted_run_is_refused_with_the_stage_to_run(project_copy: Path, stage: str) -> None:
    (project_copy / "artifacts" / stage / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=rf"artifacts/{stage}: .*never finished; run `dvc repro {stage}`"):
        read_run(project_copy / "artifacts")


def test_predictions_of_other_mentions_are_refused(project_copy: Path) -> None:
    path = EVALUATION / run_module.PREDICTIONS
    pl.read_parquet(path).with_columns(mention_id=pl.lit("m") + pl.col("mention_id")).write_parquet(path)
    manifest = json.loads((EVALUATION / "manifest.json").read_text())
    manifest["files"][path.name]["bytes"] = path.stat().st_size
    (EVALUATION / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"20 graded mentions differ.*run `dvc repro evaluation`"):
        read_run(project_copy / "artifacts")


def test_trie_of_other_names_is_refused(project_copy: Path) -> None:
    set_fact(project_copy / "artifacts" / "entity_trie", "names_sha256", "0" * 64)
    with pytest.raises(ArtifactError, match="run `dvc repro entity_trie`"):
        read_run(project_copy / "artifacts")


def test_missing_image_is_a_placeholder_with_its_reason(project_copy: Path) -> None:
    shutil.rmtree(project_copy / "data" / "tiny" / "images")
    html = run_page(read_run(project_copy / "artifacts")).html
    assert "data:image" not in html
    assert html.count("no such file") == 10


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no: no such folder; run `dvc repro`, or name a run's folder with --run"):
        artifacts_folder(tmp_path / "no")


def test_run_without_errors_says_so(tmp_path: Path) -> None:
    text = words_of(run_page(make_run(tmp_path, [RIGHT, RIGHT])).html)
    assert "This run has no errors: all 3 graded mentions of seed 1 are right." in text
    assert "No confusions" in text


def test_run_of_errors_alone_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path, [WRONG])
    wrong = run.evaluation.predictions.with_columns(place=pl.lit(0, pl.Int32))
    text = words_of(run_page(replace(run, evaluation=replace(run.evaluation, predictions=wrong))).html)
    assert "This run has only errors: all 2 graded mentions of seed 1 are wrong." in text


def test_protocol_that_a_run_states_is_shown(tmp_path: Path) -> None:
    text = words_of(run_page(make_run(tmp_path, [RIGHT], protocol={"nil_policy": "not graded", "commit": "abc"})).html)
    assert "nil policy not graded" in text
    assert "commit abc" in text


def test_slices_that_are_too_small_are_marked(tmp_path: Path) -> None:
    run = make_run(tmp_path, [RIGHT])
    groups = {"length": {"long": {"accuracy": figure(0.5), "image_gain": None, "too_small": True}}}
    metrics = {**run.evaluation.metrics, "test": {**run.evaluation.metrics["test"], "slices": groups}}
    text = words_of(run_page(replace(run, evaluation=replace(run.evaluation, metrics=metrics))).html)
    assert "50 mentions, too few to tell" in text


def test_hostile_words_are_text(tmp_path: Path) -> None:
    hostile = replace(WRONG, text="</script><b>Jaguar</b>", mention="<b>Jaguar</b>")
    html = run_page(make_run(tmp_path, [hostile])).html
    assert "<b>Jaguar" not in html
    assert html.count("</script>") == 2
