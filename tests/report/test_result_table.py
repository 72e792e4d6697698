"""The result table for people and the rows of the plots."""

from typing import Any

from rich.console import Console

from gemel.report.result_table import plot_rows, result_table


def figure(mean: float, seeds: int = 1) -> dict[str, Any]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 50, "seeds": seeds, "spread": 0.02}


def make_metrics(**test: Any) -> dict[str, Any]:
    counts = {"mentions": 50, "nil": 3, "out_of_kb": 2, "imputed_image": 4, "shortened_prompts": 0, "windowed_texts": 0}
    return {
        "test": {"accuracy": figure(0.8, seeds=3), "counts": counts} | test,
        "dev": {"accuracy": figure(0.7), "counts": counts},
        "mapper": {"trainable_share": 0.00321, "best_seed": 0},
    }


def words(metrics: dict[str, Any]) -> str:
    console = Console(width=200, record=True, file=None)
    with console.capture() as captured:
        console.print(result_table(metrics))
    return captured.get()


def line(text: str, start: str) -> list[str]:
    """The cells of the row that begins so."""
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in text.splitlines() if "│" in row]
    (found,) = [row for row in rows if row[0] == start]
    return found


def test_caption_counts_what_did_not_fit_the_llm() -> None:
    counts = make_metrics()["test"]["counts"] | {"shortened_prompts": 7, "windowed_texts": 3}
    shown = " ".join(words(make_metrics(counts=counts)).split())
    assert "to fit the LLM 7 prompts shortened and 3 texts cut;" in shown


def test_row_gives_percent_interval_mentions_and_dev() -> None:
    assert line(words(make_metrics()), "accuracy") == ["accuracy", "80.0 ± 2.0", "70.0 – 90.0", "50", "70.0"]


def test_spread_is_shown_for_several_seeds_only() -> None:
    text = words(make_metrics(hits_at_5=figure(0.9)))
    assert line(text, "gold among the first 5")[1] == "90.0"


def test_figure_that_neither_split_has_is_left_out() -> None:
    assert "tail" not in words(make_metrics(accuracy_tail=None))


def test_figure_of_one_split_leaves_the_other_empty() -> None:
    assert line(words(make_metrics(accuracy_tail=figure(0.5))), "tail entities")[-1] == ""


def test_figure_of_a_group_has_its_row() -> None:
    text = words(make_metrics(mentions_auto={"end_to_end_f1": figure(0.6), "span_f1": figure(0.9)}))
    row = line(text, "mentions found in the text and linked, F1 (over posts)")
    assert row[1:] == ["60.0", "50.0 – 70.0", "50", ""]


def test_caption_says_what_was_not_graded() -> None:
    text = " ".join(words(make_metrics()).split())
    assert "50 mentions with an entity (4 of them without a readable image)" in text
    assert "3 NIL graded apart, 2 outside the catalog not graded" in text
    assert "trainable share of all parameters 0.32%" in text


def test_grading_by_name_is_said() -> None:
    text = " ".join(words(make_metrics() | {"graded_by": "name"}).split())
    assert "Linking accuracy by entity name, in %" in text
    assert "3 NIL graded apart, 2 outside the catalog graded as wrong" in text


def test_plots_have_a_bar_for_each_figure_of_the_test_split() -> None:
    rows = plot_rows(make_metrics(accuracy_tail=figure(0.5), accuracy_head=None))
    assert rows["slices"] == [{"what": "tail entities", "accuracy": 0.5}]
    assert rows["ablations"] == [{"what": "accuracy", "accuracy": 0.8}]
