"""A table for people: Markdown, which the documentation keeps and the terminal shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gemel.experiments.paper import DATA_SETS

NOT_RUN, NOT_AT_HAND = "not run", "–"
CARD = (
    *("data set", "source of the data", "source of the splits", "names", "candidates", "NIL policy", "graded by"),
    *("graded mentions, test", "mentions without an image, test", "NIL mentions, test", "LLM", "LLM revision"),
    *("vision encoder", "tokenizer", "demonstrations", "beams", "mapper seeds", "graded mentions SHA-256, test"),
)


def markdown(table: Mapping[str, Any]) -> str:
    """A table with its title, notes and protocol card. table: as run_experiment gives it."""
    lines = [f"# {table['title']}", "", _origin(table), ""]
    lines += _grid(*_CELLS[table["kind"]](table["rows"]))
    lines += ["", *(f"{note}\n" for note in _notes(table))]
    lines += ["## Protocol of the first run", ""]
    lines += _grid(("", ""), [(key, str(table["protocol"][key])) for key in CARD if key in table["protocol"]])
    return "\n".join(lines) + "\n"


def _origin(table: Mapping[str, Any]) -> str:
    of_paper = f"{table['place'].capitalize()} of the paper. " if table["place"] else "Beside the paper. "
    return f"{of_paper}Made by `{table['command']}` at commit `{table['commit'][:12]}`."


def _notes(table: Mapping[str, Any]) -> list[str]:
    notes = [table["note"]] if table["note"] else []
    if table["kind"] in ("runs", "settings", "variants", "baselines"):
        notes.append(
            "In %, with the 95 % bootstrap interval over mentions; ± is the standard deviation between mappers of "
            f"equal settings. Changes are against *{table['reference']}*, paired, p by McNemar's exact test; one whose "
            "interval holds 0, whose p is at least 0.05, or that mappers of equal settings may differ by, is called "
            "inside the noise."
        )
    if table["kind"] in ("runs", "variants", "baselines"):
        notes.append(
            f"The paper's columns are its accuracies, on other data and other backbones than ours; {NOT_AT_HAND}: the "
            "paper has no such row, or the cell was not at hand."
        )
    if table["kind"] == "slices":
        notes.append("In %, with the 95 % bootstrap interval over mentions. The paper's cells were not at hand.")
    return notes


def _accuracy_cells(rows: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], list[Sequence[str]]]:
    head = ("", "accuracy", "among first 5", "mentions", "mappers", "change", "p", "verdict")
    papers = tuple(f"paper, {name}" for name in DATA_SETS)
    return (*head, *papers), [(*_ours(row), *_papers(row)) for row in rows]


def _ours(row: Mapping[str, Any]) -> tuple[str, ...]:
    accuracy, change = row["accuracy"], row["change"]
    if accuracy is None:
        return row["row"], NOT_RUN, "", "", "", "", "", ""
    compared = ("", "", "") if change is None else (_signed(change["gain"]), _p(change["p"]), change["verdict"])
    mappers = str(accuracy["seeds"])
    return row["row"], _figure(accuracy), _figure(row["hits_at_5"]), str(accuracy["n"]), mappers, *compared


def _papers(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row["paper"].get(name, NOT_AT_HAND)) for name in DATA_SETS)


def _setting_cells(rows: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], list[Sequence[str]]]:
    head = ("", "dev", "test", "test, posts without image", "mappers", "change on dev", "p", "verdict")
    return head, [_setting_row(row) for row in rows]


def _setting_row(row: Mapping[str, Any]) -> Sequence[str]:
    found = [row[name] for name in ("accuracy_dev", "accuracy", "accuracy_imageless_post")]
    figures = (NOT_RUN if figure is None else _figure(figure) for figure in found)
    change, mappers = row["change"], str(row["accuracy"]["seeds"])
    compared = ("", "", "") if change is None else (_signed(change["gain"]), _p(change["p"]), change["verdict"])
    return row["row"], *figures, mappers, *compared


def _slice_cells(rows: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], list[Sequence[str]]]:
    head = ("", "with the image", "without the image", "gain by the image", "mentions", "verdict")
    return head, [_slice_row(row) for row in rows]


def _slice_row(row: Mapping[str, Any]) -> Sequence[str]:
    if "accuracy" not in row:
        return row["row"], "", "", _signed(row["image_gain"]), str(row["image_gain"]["n"]), row["verdict"]
    small = "too small to tell" if row["too_small"] else ""
    accuracy = row["accuracy"]
    figures = (_figure(accuracy), _figure(row["accuracy_without_image"]), _signed(row["image_gain"]))
    return row["row"], *figures, str(accuracy["n"]), small


def _case_cells(rows: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], list[Sequence[str]]]:
    head = ("", "text", "mention", "image", "gold", "with the image", "without the image")
    keys = ("row", "text", "mention", "image", "gold", "with_image", "without_image")
    return head, [[str(row[key]) for key in keys] for row in rows]


_CELLS = {
    "runs": _accuracy_cells,
    "settings": _setting_cells,
    "variants": _accuracy_cells,
    "baselines": _accuracy_cells,
    "slices": _slice_cells,
    "cases": _case_cells,
}


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_line(head), _line(["---"] * len(head)), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _figure(figure: Mapping[str, Any]) -> str:
    spread = f" ± {100 * figure['spread']:.1f}" if figure["seeds"] > 1 else ""
    return f"{100 * figure['mean']:.1f}{spread} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"


def _signed(figure: Mapping[str, Any]) -> str:
    return f"{100 * figure['mean']:+.1f} ({100 * figure['low']:+.1f} to {100 * figure['high']:+.1f})"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
