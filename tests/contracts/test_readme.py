"""What the README promises beside what all documents do (test_documents): its targets, the packages, the lock."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = re.findall(r"^make ([a-z]+)|`make ([a-z]+)`", README, flags=re.MULTILINE)
    assert named
    assert {first or second for first, second in named} <= set(targets)


def test_the_first_commands_are_in_a_block() -> None:
    first = re.search(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    assert first is not None
    assert first[1].startswith("make repro")


def test_every_package_of_the_mission_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=\[!~ ]", dependency)[0] for dependency in project["dependencies"]}
    mission = {"dvc", "prefect", "torch", "lightning", "transformers", "open-clip-torch", "great-expectations"}
    assert mission | {"rank-bm25", "sentence-transformers", "bentoml"} <= names


def test_lock_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
