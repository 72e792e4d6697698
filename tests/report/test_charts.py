"""Curves as the numbers of an SVG."""

from pathlib import Path

import pytest

from gemel.core.errors import ArtifactError
from gemel.report.charts import MOST_POINTS, line_chart, ticks
from gemel.report.curves import training_charts


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 540.0), (0.61, 0.94), (1e-5, 0.01), (3.0, 3.0), (0.0, 0.0), (-2.0, 5.0)]
)
def test_ticks_are_few_and_enclose_the_values(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert 2 <= len(found) <= 7


def test_curve_lies_within_the_picture_and_the_best_is_drawn_last() -> None:
    chart = line_chart("loss", [("seed 1", True, [(1, 2.0), (9, 0.5)]), ("seed 0", False, [(1, 1.0), (9, 0.7)])])
    assert [line.label for line in chart.lines] == ["seed 0", "seed 1"]
    points = [pair.split(",") for line in chart.lines for pair in line.points.split()]
    assert all(0 <= float(x) <= 360 and 0 <= float(y) <= 220 for x, y in points)


def test_long_curve_shows_means_and_says_so() -> None:
    chart = line_chart("loss", [("seed 0", True, [(step, step % 2) for step in range(4 * MOST_POINTS)])])
    assert len(chart.lines[0].points.split()) == MOST_POINTS
    assert chart.lines[0].last == 0.5
    assert chart.note == "each point the mean of 4 steps"


def test_imported_mapper_has_no_curves(tmp_path: Path) -> None:
    assert training_charts(tmp_path, {"seeds": {"0": {}}, "best_seed": 0}) == ()


def test_damaged_curve_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "seed-0" / "curves").mkdir(parents=True)
    (tmp_path / "seed-0" / "curves" / "rate.tsv").write_text("step\trate\n1\tfast\n")
    with pytest.raises(ArtifactError, match=r"rate\.tsv: not a curve of step and value .*; run `dvc repro mapper`"):
        training_charts(tmp_path, {"seeds": {"0": {}}, "best_seed": 0})
