"""`kill -9` inside each stage under `dvc repro`: no half artifact is left, and the next `dvc repro` goes on."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_world import write_params

from gemel.core.artifacts import artifact_hash
from gemel.core.settings import BackboneSettings
from sample.dataset import write_notes

ROOT = Path(__file__).parents[2]
STAGES = (
    "posts",
    "image_features",
    "demonstrations",
    "entity_trie",
    "mapper",
    "confidence",
    "evaluation",
    "baselines",
    "release",
)
# Every Python imports it at its start. It kills DVC and the stage when an artifact lacks nothing but its manifest.
SITECUSTOMIZE = """
import os, signal, sys
stage = os.environ.get("KILLED_STAGE")
def kill(event, arguments):
    if event == "open" and f".{stage}.draft-" in str(arguments[0]) and str(arguments[0]).endswith("/manifest.json"):
        os.killpg(0, signal.SIGKILL)
if stage:
    sys.addaudithook(kill)
"""


@pytest.fixture
def checkout(tmp_path: Path, tiny_backbones: BackboneSettings, tiny_dataset: Path) -> Path:
    """A project under DVC that has run no stage yet."""
    root = tmp_path / "checkout"
    shutil.copytree(tiny_dataset, root / "data" / "tiny")
    write_notes(root / "data")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "dvc.yaml", root)
    (root / "conf" / "accepted").mkdir(parents=True)
    write_params(root, tiny_backbones)
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(SITECUSTOMIZE)
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (
        ["git", "init", "-q"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        ["git", *author, "commit", "-q", "-m", "DVC"],
    ):
        subprocess.run(command, cwd=root, check=True)
    return root


def repro(root: Path, killed_stage: str = "") -> subprocess.CompletedProcess[str]:
    # The checkout's own code, whichever is installed.
    code = os.pathsep.join(map(str, (root.parent / "hook", root / "src")))
    paths = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": code}
    return subprocess.run(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=root,
        env=os.environ | paths | {"KILLED_STAGE": killed_stage, "DVC_NO_ANALYTICS": "true"},
        start_new_session=True,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("killed", [("mapper",), pytest.param(STAGES, marks=pytest.mark.slow)], ids=["one", "each"])
def test_next_repro_goes_on_after_a_kill(checkout: Path, project: Path, killed: tuple[str, ...]) -> None:
    for stage in killed:
        # Each run recovers the stage that the run before was killed in, and dies in the next one.
        run = repro(checkout, killed_stage=stage)
        assert run.returncode == -signal.SIGKILL, run.stderr
        assert not (checkout / "artifacts" / stage).exists()
        assert list((checkout / "artifacts").glob(f".{stage}.draft-*"))
    run = repro(checkout)
    assert run.returncode == 0, run.stderr
    assert f"Running stage '{killed[-1]}'" in run.stdout
    assert "Running stage 'posts'" not in run.stdout
    assert not list((checkout / "artifacts").glob(".*.draft-*"))
    for stage in STAGES:
        recovered, undisturbed = (artifact_hash(root / "artifacts" / stage) for root in (checkout, project))
        assert recovered == undisturbed, stage
