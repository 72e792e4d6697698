"""One named experiment, from its runs to the table on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gemel.core.drafts import whole_file
from gemel.experiments.cases import case_rows
from gemel.experiments.definitions import Experiment, Kind
from gemel.experiments.queue import head_commit, run_all
from gemel.experiments.rendering import markdown
from gemel.experiments.results import Result
from gemel.experiments.tables import table_rows
from gemel.posts.tables import Tables

# The stages whose artifacts a kind of table is made of.
STAGES: Mapping[Kind, tuple[str, ...]] = {
    "runs": ("evaluation",),
    "settings": ("evaluation",),
    "variants": ("evaluation", "baselines"),
    "baselines": ("evaluation", "baselines"),
    "slices": ("evaluation",),
    "cases": ("posts", "evaluation"),
}
COMPARED = ("runs", "settings")  # kinds of tables that are of several runs
FETCHED = Path(".gemel/experiments")


def run_experiment(experiment: Experiment, overrides: Sequence[str], jobs: int) -> dict[str, Any]:
    """Run what the experiment needs, and make its table.

    overrides: of the settings of all its runs; with a backbone or a data set among them, the paper's runs take the
    place of those on the sample world. jobs: runs at a time.
    Returns: name, title, place, kind, reference, note, command, commit, protocol (the card of the first run), rows and
    count, their number.
    Raises: GemelError if a run fails or the runs can't be compared.
    """
    runs = _runs(experiment, overrides)
    folders = run_all(runs, STAGES[experiment.kind], FETCHED, jobs)
    results = {label: Result(folder) for label, folder in folders.items()}
    if experiment.kind == "cases":
        (result,) = results.values()
        rows = case_rows(result, Tables.read(result.folder / "posts"))
    else:
        rows = table_rows(experiment, results)
    said = [f"-S {override}" for override in overrides]
    return {
        "name": experiment.name,
        "title": experiment.title,
        "place": experiment.place,
        "kind": experiment.kind,
        "reference": experiment.reference or next(iter(runs)),
        "note": experiment.note,
        "command": " ".join(["gemel report", experiment.name, *said]),
        "commit": head_commit(),
        "protocol": next(iter(results.values())).card,
        "rows": rows,
        "count": len(rows),
    }


def run_ahead(experiments: Iterable[Experiment], overrides: Sequence[str], jobs: int) -> None:
    """Run what tables of several runs need in one queue, so that none of `jobs` waits for the end of a table."""
    all_runs = [_runs(experiment, overrides) for experiment in experiments if experiment.kind in COMPARED]
    runs = {" ".join(changes): changes for of_table in all_runs for changes in of_table.values()}
    run_all(runs, STAGES["runs"], FETCHED, jobs)


def _runs(experiment: Experiment, overrides: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The settings of each run, by its label; what a run itself sets takes the place of the same setting for all."""
    at_scale = any(override.startswith(("backbone", "dataset")) for override in overrides)
    return {run.label: _merged(overrides, run.overrides) for run in experiment.runs(at_scale)}


def _merged(*overrides: Sequence[str]) -> tuple[str, ...]:
    """Hydra refuses a group that is named twice."""
    by_key = {override.partition("=")[0]: override for some in overrides for override in some}
    return tuple(by_key.values())


def write_table(table: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write NAME.md and NAME.json, each whole or not at all. Returns: their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"md": markdown(table), "json": json.dumps(table, indent=1, ensure_ascii=False) + "\n"}
    paths = []
    for ending, content in contents.items():
        path = folder / f"{table['name']}.{ending}"
        with whole_file(path) as draft:
            draft.write_text(content, encoding="utf-8")
        paths.append(path)
    return paths[0], paths[1]
