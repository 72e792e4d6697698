"""Runs over DVC's queue, in a project of one stage that costs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gemel.core.config import read_params
from gemel.core.errors import GemelError
from gemel.experiments.queue import PARAMS, run_all

STAGE = """
import json, pathlib, yaml
params = yaml.safe_load(open("params.yaml"))
folder = pathlib.Path("artifacts/evaluation")
folder.mkdir(parents=True, exist_ok=True)
(folder / "metrics.json").write_text(json.dumps(10 // params["number"]))
"""
DVC_YAML = """
stages:
  evaluation:
    cmd: {python} stage.py
    deps: [stage.py]
    params: [number]
    outs: [artifacts/evaluation]
"""


def call(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    (root / "conf").mkdir(parents=True)
    monkeypatch.chdir(root)
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "tests@example.org")
    call("git", "init", "--quiet")
    call(sys.executable, "-m", "dvc", "init", "--quiet")
    call(sys.executable, "-m", "dvc", "config", "core.analytics", "false")
    (root / "stage.py").write_text(STAGE)
    (root / "dvc.yaml").write_text(DVC_YAML.format(python=sys.executable))
    (root / "params.yaml").write_text("number: 1\n")
    (root / "README.md").write_text("")
    (root / ".gitignore").write_text("/artifacts\n/runs\n")
    call("git", "add", "--all")
    call("git", "commit", "--quiet", "--message", "project")
    return root


def metric(folder: Path) -> int:
    return int(json.loads((folder / "evaluation" / "metrics.json").read_text()))


def test_each_run_gives_its_artifacts_and_is_run_once(project: Path) -> None:
    runs = {"as it stands": (), "five": ("number=5",)}
    found = run_all(runs, ["evaluation"], project / "runs", jobs=2)
    assert (metric(found["as it stands"]), metric(found["five"])) == (10, 2)
    assert [read_params(folder / PARAMS)["number"] for folder in found.values()] == [1, 5]
    assert (project / "params.yaml").read_text() == "number: 1\n"
    # Run again, it would fail.
    call("git", "update-index", "--assume-unchanged", "stage.py")
    (project / "stage.py").write_text("raise SystemExit(1)")
    assert metric(run_all({"five": ("number=5",)}, ["evaluation"], project / "runs")["five"]) == 2


def test_run_that_fails_is_named(project: Path) -> None:
    with pytest.raises(GemelError, match=r"number-0-\w+ \(number=0\): its results can't be had .*dvc queue logs"):
        run_all({"none": ("number=0",)}, ["evaluation"], project / "runs")
    assert not list((project / "runs").rglob("metrics.json"))


def test_changed_project_is_refused(project: Path) -> None:
    (project / "README.md").write_text("changed")
    (project / "stage.py").write_text("")
    with pytest.raises(GemelError, match=r"files that git tracks have changed \(stage.py\): commit them first"):
        run_all({"five": ("number=5",)}, ["evaluation"], project / "runs")
