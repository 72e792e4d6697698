"""The named experiments: all of the paper's, and settings that the project knows."""

from pathlib import Path

import pytest
from dvc.utils.hydra import compose_and_dump

from gemel.experiments.definitions import EXPERIMENTS
from gemel.experiments.paper import paper_figures

CONF = Path(__file__).parents[2] / "conf"
OVERRIDES = sorted(
    {run.overrides for experiment in EXPERIMENTS.values() for run in (*experiment.sample, *experiment.paper)}
)


def test_every_table_and_figure_of_the_paper_has_a_name() -> None:
    places = {experiment.place for experiment in EXPERIMENTS.values()} - {""}
    assert places == {*(f"table {number}" for number in range(2, 8)), "figure 3", "figure 4"}
    assert {"prefix", "demonstrations", "rate", "beyond"} <= set(EXPERIMENTS)


@pytest.mark.parametrize("overrides", OVERRIDES, ids=" ".join)
def test_settings_of_runs_compose(overrides: tuple[str, ...], tmp_path: Path) -> None:
    compose_and_dump(tmp_path / "params.yaml", str(CONF), None, "config", "", list(overrides))


def test_settings_are_compared_with_those_that_stand() -> None:
    first, *others = EXPERIMENTS["beyond"].sample
    assert first.overrides == ()
    assert all("mapper.seeds=[0]" in run.overrides for run in others)


def test_labels_of_runs_and_rows_are_unique() -> None:
    for experiment in EXPERIMENTS.values():
        for labels in (
            [r.label for r in experiment.sample],
            [r.label for r in experiment.paper],
            [r.label for r in experiment.rows],
        ):
            assert len(labels) == len(set(labels))


def test_paper_figures_are_of_known_tables_in_percent() -> None:
    assert set(paper_figures()) <= set(EXPERIMENTS)
    values = [value for rows in paper_figures().values() for row in rows.values() for value in row.values()]
    assert values
    assert all(1 < value < 100 for value in values)
