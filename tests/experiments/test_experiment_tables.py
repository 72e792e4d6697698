"""Tables of made-up runs: what is compared with what, and what is called noise."""

from pathlib import Path
from typing import Any

import pytest
from made_up_runs import CARD, write_run

from gemel.core.errors import ArtifactError, DataError
from gemel.evaluation.names import BLIND, FULL, IMAGELESS
from gemel.experiments.definitions import EXPERIMENTS, Experiment, Row
from gemel.experiments.rendering import markdown
from gemel.experiments.results import Result
from gemel.experiments.tables import table_rows

SWEEP = Experiment("sweep", "A sweep", "", "runs")
VARIANTS = Experiment(
    "table3",
    "Ablations",
    "table 3",
    "variants",
    "gemel",
    rows=(Row("gemel", FULL), Row("blind", BLIND), Row("other", "absent")),
)
DECIDED = Experiment("decided", "Settings", "", "settings")
SLICED = Experiment("table7", "Popularity", "table 7", "slices")
GOOD, BAD, MIXED = "1" * 40, "2" * 40, "1" * 20 + "2" * 20


def made_of(experiment: Experiment, **folders: Path) -> list[dict[str, Any]]:
    return table_rows(experiment, {label: Result(folder) for label, folder in folders.items()})


def test_runs_are_compared_with_the_first(tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a", {FULL: [MIXED]}), write_run(tmp_path / "b", {FULL: [GOOD]})
    rows = made_of(SWEEP, a=first, b=second)
    assert [row["accuracy"]["mean"] for row in rows] == [0.5, 1.0]
    assert rows[0]["change"] is None
    assert (rows[1]["change"]["gain"]["mean"], rows[1]["change"]["verdict"]) == (0.5, "better")
    assert [row["hits_at_5"]["mean"] for row in rows] == [1.0, 1.0]


def test_run_is_compared_with_the_mapper_of_its_own_seed(tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a", {FULL: [MIXED, GOOD]}), write_run(tmp_path / "b", {FULL: [MIXED]})
    assert made_of(SWEEP, a=first, b=second)[1]["change"]["gain"]["mean"] == 0.0


def test_change_that_mappers_of_equal_settings_show_too_is_noise(tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a", {FULL: [MIXED, GOOD]}), write_run(tmp_path / "b", {FULL: [GOOD]})
    (_, row) = made_of(SWEEP, a=first, b=second)
    assert row["change"]["p"] < 0.05
    assert row["change"]["verdict"] == "inside the noise"


def test_runs_of_other_mentions_are_refused(tmp_path: Path) -> None:
    runs = {FULL: [GOOD]}
    first, second = write_run(tmp_path / "a", runs), write_run(tmp_path / "b", runs, **{"graded by": "name"})
    with pytest.raises(DataError, match=r"sweep: 'b' is of another protocol than 'a': .*'graded by': \('id', 'name'\)"):
        made_of(SWEEP, a=first, b=second)


def test_settings_are_compared_on_dev_and_reported_on_test(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {FULL: [GOOD], IMAGELESS: [BAD]}, dev={FULL: [MIXED]})
    second = write_run(tmp_path / "b", {FULL: [MIXED], IMAGELESS: [GOOD]}, dev={FULL: [GOOD]})
    rows = made_of(DECIDED, a=first, b=second)
    names = ("accuracy_dev", "accuracy", "accuracy_imageless_post")
    assert [[row[name]["mean"] for name in names] for row in rows] == [[0.5, 1.0, 0.0], [1.0, 0.5, 1.0]]
    assert rows[0]["change"] is None
    assert (rows[1]["change"]["gain"]["mean"], rows[1]["change"]["verdict"]) == (0.5, "better")


def test_settings_of_another_protocol_are_refused(tmp_path: Path) -> None:
    runs = {FULL: [GOOD]}
    first, second = write_run(tmp_path / "a", runs, dev=runs), write_run(tmp_path / "b", runs, dev=runs, names=8)
    with pytest.raises(DataError, match=r"decided: 'b' is of another protocol than 'a': .*'names': \(9, 8\)"):
        made_of(DECIDED, a=first, b=second)


def test_interrupted_run_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", {FULL: [GOOD]})
    (folder / "evaluation" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="never finished; run `dvc repro evaluation`"):
        made_of(SWEEP, a=folder)


def test_variant_that_was_not_run_keeps_its_row(tmp_path: Path) -> None:
    rows = made_of(VARIANTS, a=write_run(tmp_path / "a", {FULL: [GOOD], BLIND: [BAD]}))
    assert [row["row"] for row in rows] == ["gemel", "blind", "other"]
    assert rows[1]["change"]["verdict"] == "worse"
    assert (rows[2]["accuracy"], rows[2]["change"]) == (None, None)


def test_linkers_own_demonstrations_are_the_linker(tmp_path: Path) -> None:
    rows = made_of(EXPERIMENTS["table6"], a=write_run(tmp_path / "a", {FULL: [GOOD], "random demonstrations": [MIXED]}))
    found = {row["row"]: row["accuracy"] and row["accuracy"]["mean"] for row in rows}
    assert found == {"none": None, "random": 0.5, "BM25": 1.0, "dense": None}


def test_rows_of_the_paper_alone_come_last(tmp_path: Path) -> None:
    rows = made_of(EXPERIMENTS["table2"], a=write_run(tmp_path / "a", {FULL: [GOOD]}))
    assert rows[0]["paper"] == {"WikiDiverse": 86.3, "WikiMEL": 82.6}
    assert rows[-1]["row"].endswith("of the paper")
    assert rows[-1]["accuracy"] is None


def test_image_helps_tail_more_than_common(tmp_path: Path) -> None:
    groups = ["common"] * 20 + ["tail"] * 20
    slices = {"popularity, each": groups, "popularity, together": groups, "training": ["head"] * 20 + ["tail"] * 20}
    folder = write_run(tmp_path / "a", {FULL: [GOOD], BLIND: [MIXED]}, slices)
    rows = {row["row"]: row for row in made_of(SLICED, a=folder)}
    assert rows["popularity, each: tail"]["image_gain"]["mean"] == 1.0
    assert rows["popularity, each: common"]["too_small"] is False
    assert rows["training: gain by the image, tail less common"]["verdict"] == "the image helps tail more"


@pytest.mark.parametrize("kind", ["runs", "settings", "slices"])
def test_markdown_has_every_row_and_the_protocol(tmp_path: Path, kind: str) -> None:
    slices = {
        name: ["common"] * 20 + ["tail"] * 20 for name in ("popularity, each", "popularity, together", "training")
    }
    folder = write_run(tmp_path / "a", {FULL: [GOOD], BLIND: [MIXED]}, slices, dev={FULL: [MIXED]})
    experiment = {"runs": SWEEP, "settings": DECIDED, "slices": SLICED}[kind]
    rows = made_of(experiment, **{"a | b": folder})
    facts = {"name": "x", "title": "Title", "place": "table 9", "note": "Note.", "command": "gemel report x"}
    text = markdown(facts | {"kind": kind, "commit": "c" * 40, "reference": "a", "protocol": CARD, "rows": rows})
    assert text.startswith("# Title\n\nTable 9 of the paper. Made by `gemel report x` at commit `cccccccccccc`.\n")
    assert all(row["row"].replace("|", "\\|") in text for row in rows)
    assert "| data set | made up |" in text
    grids = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in grids}) == 2
