"""The flow runs the stages of dvc.yaml, whatever they are, in the order of their dependencies."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.pipeline import StageError, pipeline, result_markdown, stages_in_order
from gemel.core.errors import ConfigError

# `last` stands first: the order must come from the dependencies. A templated name must be resolved.
DVC_YAML = """
stages:
  last:
    cmd: python run.py last ${folder}/first.txt out/last.txt
    deps: [run.py, "${folder}/first.txt"]
    outs: [out/last.txt]
  first:
    cmd: python run.py first seed.txt ${folder}/first.txt
    deps: [run.py, seed.txt]
    outs: ["${folder}/first.txt"]
"""
RUN = """
import sys
from pathlib import Path
name, source, target = sys.argv[1:]
text = Path(source).read_text()
with open("runs.log", "a") as log:
    log.write(name + "\\n")
if "bad" in text and name == "last":
    print("the cat sat on the keyboard")
    sys.exit(3)
Path(target).write_text(text + name)
"""


@pytest.fixture(scope="module")
def blank_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "config", "core.analytics", "false"], cwd=root, check=True)
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "params.yaml").write_text("folder: out\n")
    (root / "run.py").write_text(RUN)
    (root / "out").mkdir()
    return root


@pytest.fixture
def project(blank_project: Path, tmp_path: Path) -> Path:
    """Two stages that write files and keep a log of their runs."""
    root = shutil.copytree(blank_project, tmp_path / "project")
    (root / "seed.txt").write_text("good ")
    return root


def runs(root: Path) -> list[str]:
    return (root / "runs.log").read_text().split()


def test_stages_run_after_what_they_depend_on_and_only_once(project: Path) -> None:
    assert pipeline(project, retries=0) == ("first", "last")
    assert runs(project) == ["first", "last"]
    assert (project / "out" / "last.txt").read_text() == "good firstlast"
    pipeline(project, retries=0)
    assert runs(project) == ["first", "last"]


def test_force_runs_what_is_up_to_date(project: Path) -> None:
    pipeline(project, retries=0)
    pipeline(project, force=True, retries=0)
    assert runs(project) == ["first", "last"] * 2


def test_failing_stage_is_retried_then_named_with_its_last_lines(project: Path) -> None:
    (project / "seed.txt").write_text("bad ")
    with pytest.raises(StageError, match=r"(?s)stage 'last' failed with exit status \d+.*the cat sat on the keyboard"):
        pipeline(project, retries=1, retry_delay_seconds=0)
    assert runs(project) == ["first", "last", "last"]


def test_folder_without_dvc_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dvc\.yaml: no such file; run from a checkout"):
        stages_in_order(tmp_path)


def test_dvc_yaml_that_dvc_refuses_is_named(project: Path) -> None:
    (project / "params.yaml").write_text("other: out\n")
    with pytest.raises(ConfigError, match=r"dvc\.yaml: DVC can't read it: .*folder"):
        stages_in_order(project)


def test_every_stage_of_the_project_is_in_the_flow() -> None:
    stages = stages_in_order(Path(__file__).parents[2])
    assert stages[0] == "posts"
    assert stages[-1] == "release"
    assert stages.index("mapper") < stages.index("evaluation")


def test_result_table_has_a_row_for_each_figure() -> None:
    share = {"mean": 0.75, "low": 0.7, "high": 0.8, "n": 40, "seeds": 1}
    counts = {"mentions": 40, "imputed_image": 2, "nil": 1, "out_of_kb": 0, "shortened_prompts": 0, "windowed_texts": 0}
    metrics = {"test": {"accuracy": share, "counts": counts}, "dev": {"accuracy": share}}
    lines = result_markdown(metrics | {"mapper": {"trainable_share": 0.1}}).splitlines()
    assert lines[2].startswith("|  | test | 95 % interval |")
    assert lines[4].startswith("| accuracy | 75.0 ")
    assert "40 mentions" in lines[-1]
