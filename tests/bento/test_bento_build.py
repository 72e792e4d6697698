"""`bentoml build` from the project's root: what goes into a bento, and how its container is made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bentoml._internal.service.loader import load

from bento.release_store import RELEASE_VARIABLE

ROOT = Path(__file__).parents[2]
OTHERS = ("data/tiny/posts.jsonl", "data/tiny/images/1.png", "tests/test_x.py", ".git/config", ".env", "docs/x.md")


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path) -> Path:
    """The folder of a bento, built by the command itself from a project with the tiny release."""
    root, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    for name in ("bento", "src/gemel"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("bentofile.yaml", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(tiny_release, root / "artifacts/release")
    made = [*OTHERS, "data/backbones/tiny-llm/config.json", "bento/page/index.html", "bento/page/page.css"]
    for name in (*made, "bento/__pycache__/x.pyc"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    environment = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": f"{root}/src"}
    environment.pop(RELEASE_VARIABLE, None)
    built = subprocess.run(
        [sys.executable, "-m", "bentoml", "build"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (folder,) = (path.parent for path in home.glob("bentos/gemel/*/bento.yaml"))
    return folder


def test_bento_holds_what_the_service_needs(bento: Path, tiny_release: Path) -> None:
    files = {path.relative_to(bento / "src").as_posix() for path in (bento / "src").rglob("*") if path.is_file()}
    release = {path.relative_to(tiny_release).as_posix() for path in tiny_release.rglob("*") if path.is_file()}
    assert {f"artifacts/release/{name}" for name in release} <= files
    assert {"data/backbones/tiny-llm/config.json", "requirements.lock", "gemel/predictor.py"} <= files
    assert {"bento/service.py", "bento/page/index.html", "bento/page/page.css"} <= files


def test_bento_holds_nothing_else_of_the_project(bento: Path) -> None:
    assert not [name for name in OTHERS if (bento / "src" / name).exists()]
    assert not list(bento.rglob("__pycache__"))


def test_packages_are_those_of_the_lock(bento: Path) -> None:
    wanted = {line for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    assert wanted <= set((bento / "env/python/requirements.txt").read_text().splitlines())


def test_container_runs_python_3_11_as_a_user_of_its_own(bento: Path) -> None:
    lines = (bento / "env/docker/Dockerfile").read_text().splitlines()
    assert "FROM python:3.11-slim as base-container" in lines
    users = [line for line in lines if line.startswith("USER ")]
    assert users[-1] == "USER bentoml"


def test_container_is_asked_whether_it_is_ready(bento: Path) -> None:
    text = (bento / "env/docker/Dockerfile").read_text()
    assert "HEALTHCHECK --start-period=10m" in text
    assert '"http://127.0.0.1:${BENTOML_PORT:-${PORT:-3000}}/readyz"' in text


def test_only_the_container_listens_to_its_network(bento: Path) -> None:
    assert "ARG BENTOML_HOST=0.0.0.0" in (bento / "env/docker/Dockerfile").read_text()
    assert "host: 127.0.0.1" in (bento / "bento.yaml").read_text()


def test_serving_without_arguments_finds_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert load(".", working_dir=".").name == "Gemel"
