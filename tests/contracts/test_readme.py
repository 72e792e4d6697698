"""The README's commands: targets, options and files that it names are there, and its Python runs."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer.main

from gemel.cli import app
from gemel.posts.expectations import DATA_DOCS
from gemel.stages import POSTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(first_word: str) -> list[list[str]]:
    lines = "\n".join(blocks("bash")).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.strip()]
    return [line for line in words if line and line[0] == first_word]


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert commands("make")
    assert {target for line in commands("make") for target in line[1:]} <= set(targets)


@pytest.mark.parametrize("line", commands("gemel"), ids=" ".join)
def test_gemel_commands_and_options_exist(line: list[str]) -> None:
    command = typer.main.get_command(app)
    words = line[1:]
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("module", re.findall(r"python -m ([\w.]+)", README))
def test_modules_that_are_run_exist(module: str) -> None:
    place = ROOT.joinpath(*module.split("."))
    assert module == "pytest" or place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    made_by_repro = {link for link in links if link.startswith("artifacts/")}
    assert made_by_repro == {f"{POSTS}/{DATA_DOCS}/index.html"}
    assert not [link for link in links if link not in made_by_repro and not (ROOT / link).exists()]


def test_pictures_that_are_named_are_shipped() -> None:
    pictures = set(re.findall(r"data/sample/images/\w+\.png", README))
    assert pictures
    assert not [picture for picture in pictures if not (ROOT / picture).is_file()]


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_runs(number: int, tiny_release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a tiny release in place of the sample's."""
    code = blocks("python")[number].replace("artifacts/release", str(tiny_release))
    with pytest.warns(UserWarning):
        exec(compile(code, f"README.md python {number}", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_every_package_of_the_mission_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=\[!~ ]", dependency)[0] for dependency in project["dependencies"]}
    mission = {"dvc", "prefect", "torch", "lightning", "transformers", "open-clip-torch", "great-expectations"}
    assert mission | {"rank-bm25", "sentence-transformers", "bentoml"} <= names


def test_lock_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
