"""What changed between two runs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from gemel.core.errors import DataError
from gemel.report.comparable import Side
from gemel.report.compare import Comparison, Words, browser_rows, compare
from gemel.report.comparison_table import MOST_ROWS, changed_table, comparison_table
from report.synthetic_run import ENTITIES, RIGHT, WRONG, Asked, make_run

NAMES = {entity.entity_id: entity.name for entity in ENTITIES}
WORDS = Words({f"m{place}": ("Jaguar", "The Jaguar", 4) for place in range(100)}, NAMES)


def side(folder: Path, asked: Sequence[Asked], names: str | None = None, **made: Any) -> Side:
    return Side(folder.name, make_run(folder, asked, **made).evaluation, names)


def compared(folder: Path, a: Sequence[Asked], b: Sequence[Asked], **made: Any) -> Comparison:
    return compare(side(folder / "a", a, **made), side(folder / "b", b, **made), WORDS)


def outcomes(fixed: int, broken: int, same: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.array([False] * fixed + [True] * broken + [True] * same)
    b = np.array([True] * fixed + [False] * broken + [True] * same)
    return a, b


def test_each_mention_has_one_outcome(tmp_path: Path) -> None:
    found = compared(tmp_path, [WRONG, RIGHT, RIGHT, WRONG], [RIGHT, WRONG, RIGHT, WRONG])
    assert found.counts == {"fixed": 1, "broken": 1, "unchanged right": 1, "unchanged wrong": 1}
    (fixed,) = found.of("fixed")
    assert (fixed.mention_id, fixed.gold, fixed.a[:2], fixed.b[:2]) == (
        "m0",
        ("Q1", "Jaguar Cars"),
        ("Q2", "Jaguar (animal)"),
        ("Q1", "Jaguar Cars"),
    )
    assert [row["outcome"] for row in browser_rows(found)][:2] == ["fixed", "broken"]


def test_few_changes_are_inside_the_noise(tmp_path: Path) -> None:
    assert (
        compared(tmp_path, [WRONG, RIGHT, *[RIGHT] * 20], [RIGHT, RIGHT, *[RIGHT] * 20]).verdict == "inside the noise"
    )


def test_many_changes_one_way_are_not(tmp_path: Path) -> None:
    found = compared(tmp_path / "up", [WRONG] * 12 + [RIGHT] * 20, [RIGHT] * 32)
    assert (found.verdict, found.change.gain.mean) == ("B is better", pytest.approx(12 / 32))
    assert compared(tmp_path / "down", [RIGHT] * 32, [WRONG] * 12 + [RIGHT] * 20).verdict == "A is better"


def test_other_mentions_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"other mentions: 1 \(m0 -> Q1\) only in a, 1 \(m0 -> Q3\) only in b; evaluate"
    ):
        compared(tmp_path, [RIGHT], [replace(RIGHT, gold="Q3")])


def test_other_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="other catalogs: names aaaaaaaaaaaa and bbbbbbbbbbbb"):
        compare(side(tmp_path / "a", [RIGHT], "a" * 64), side(tmp_path / "b", [RIGHT], "b" * 64), WORDS)


def test_other_grading_is_refused(tmp_path: Path) -> None:
    a, b = side(tmp_path / "a", [RIGHT]), side(tmp_path / "b", [RIGHT])
    by_name = replace(b, evaluation=replace(b.evaluation, facts={**b.evaluation.facts, "graded_by": "name"}))
    with pytest.raises(DataError, match="graded by 'id' and by 'name'"):
        compare(a, by_name, WORDS)


def test_protocols_may_differ_in_the_method_alone(tmp_path: Path) -> None:
    a = side(tmp_path / "a", [RIGHT], protocol={"NIL policy": "count", "LLM": "opt"})
    other_model = side(tmp_path / "b", [RIGHT], protocol={"NIL policy": "count", "LLM": "llama"})
    assert compare(a, other_model, WORDS).settings == {"LLM": ("opt", "llama")}
    other_policy = side(tmp_path / "c", [RIGHT], protocol={"NIL policy": "grade", "LLM": "opt"})
    with pytest.raises(DataError, match="NIL policy: 'count' and 'grade'"):
        compare(a, other_policy, WORDS)


def test_best_seeds_may_differ(tmp_path: Path) -> None:
    found = compare(side(tmp_path / "a", [RIGHT], seed=0), side(tmp_path / "b", [RIGHT], seed=1), WORDS)
    assert (found.a.seed, found.b.seed, found.seeds_difference.mean) == (0, 1, 0)


def test_tables_say_all_and_list_the_first(tmp_path: Path) -> None:
    found = compared(tmp_path, [WRONG] * 30, [RIGHT] * 30)
    console = Console(width=120, record=True)
    with console.capture() as captured:
        console.print(comparison_table(found), changed_table(found, "fixed"))
    text = captured.get()
    assert "B is better" in text
    assert "McNemar" in text
    assert text.count("│ Jaguar Cars") == 2 * MOST_ROWS
    assert "10 more; --html or --json has them all" in text


def test_json_has_the_figures_and_the_changed_mentions(tmp_path: Path) -> None:
    found = json.loads(json.dumps(compared(tmp_path, [WRONG, RIGHT], [RIGHT, RIGHT]).as_dict()))
    assert found["counts"] == {"fixed": 1, "broken": 0, "unchanged_right": 1, "unchanged_wrong": 0}
    assert (found["verdict"], found["p_value"], found["mentions"]) == ("inside the noise", 1.0, 2)
    assert found["fixed"][0]["a"][1] == "Jaguar (animal)"
