"""A named experiment from its runs to the files; the runs are made up, in place of the queue's."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from made_up_runs import write_run

from gemel.evaluation.names import FULL
from gemel.experiments import running
from gemel.experiments.definitions import EXPERIMENTS
from gemel.experiments.running import run_ahead, run_experiment, write_table

Runs = list[dict[str, Sequence[str]]]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """The runs that were asked of the queue, which gives made-up ones."""
    found: Runs = []

    def run_all(runs: Mapping[str, Sequence[str]], *_: object) -> dict[str, Path]:
        found.append(dict(runs))
        return {label: write_run(tmp_path / str(number), {FULL: ["1212"]}) for number, label in enumerate(runs)}

    monkeypatch.setattr(running, "run_all", run_all)
    monkeypatch.setattr(running, "head_commit", lambda: "c" * 40)
    return found


def test_table_has_its_name_rows_and_count(asked: Runs) -> None:
    table = run_experiment(EXPERIMENTS["prefix"], [], jobs=1)
    assert (table["name"], table["count"]) == ("prefix", 4)
    assert [row["row"] for row in table["rows"]] == ["k = 4", "k = 1", "k = 2", "k = 8"]
    assert asked[0]["k = 4"] == ()
    assert asked[0]["k = 8"][0] == "mapper.prefix_tokens=8"
    assert (table["reference"], table["command"], table["commit"]) == ("k = 4", "gemel report prefix", "c" * 40)


def test_with_another_backbone_the_runs_are_those_of_the_paper(asked: Runs) -> None:
    table = run_experiment(EXPERIMENTS["figure3"], ["dataset=wikimel"], jobs=1)
    assert next(iter(asked[0].values())) == ("dataset=wikimel", "backbone=opt-6.7b")
    assert table["command"] == "gemel report figure3 -S dataset=wikimel"


def test_backbone_of_a_run_takes_the_place_of_the_one_for_all(asked: Runs) -> None:
    run_experiment(EXPERIMENTS["table4"], ["backbone=llama2-7b", "dataset=wikimel"], jobs=1)
    assert asked[0]["OPT"] == ("backbone=opt-6.7b", "dataset=wikimel")


def test_other_settings_stay_on_the_sample_world(asked: Runs) -> None:
    run_experiment(EXPERIMENTS["table5"], ["evaluation.num_beams=3"], jobs=1)
    assert [changes[:2] for changes in asked[0].values()][1] == ("evaluation.num_beams=3", "backbone=tiny-resnet")


def test_runs_of_several_tables_are_queued_together_and_once(asked: Runs) -> None:
    run_ahead([EXPERIMENTS[name] for name in ("table4", "figure3", "beyond", "table7")], [], jobs=2)
    (runs,) = asked
    backbones = [changes[0] for changes in runs.values() if changes and changes[0].startswith("backbone")]
    assert sum(changes[:1] == ("mapper.adapter=mlp",) for changes in runs.values()) == 1
    assert sorted(backbones) == ["backbone=tiny-llama-1", *(f"backbone=tiny-opt-{number}" for number in range(1, 5))]


@pytest.mark.usefixtures("asked")
def test_table_is_written_as_markdown_and_json(tmp_path: Path) -> None:
    table = run_experiment(EXPERIMENTS["rate"], [], jobs=1)
    page, data = write_table(table, tmp_path / "new" / "tables")
    assert page.read_text().startswith("# Peak learning rate of the mapper")
    assert json.loads(data.read_text()) == table
    assert sorted(path.name for path in page.parent.iterdir()) == ["rate.json", "rate.md"]
