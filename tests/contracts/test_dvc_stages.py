"""dvc.yaml against the code: what a stage imports is among its deps, and one name stands in five places."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports from gemel, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gemel"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("gemel"))


def files_of(name: str) -> Iterator[Path]:
    """The file of a module; of a package its __init__, and those of the packages around it."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = SOURCE.joinpath(*parts[:length])
        yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


def transitive_imports(start: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in imported(path) for file in files_of(name)]
    return found


def does_nothing(path: Path) -> bool:
    """A file of docstrings alone can't change a result."""
    return all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


def test_imports_are_found_through_packages() -> None:
    names = {path.name for path in transitive_imports(SOURCE / "gemel/stages/entity_trie.py")}
    assert {"trie.py", "artifacts.py", "tokens.py"} <= names
    assert "predictor.py" not in names


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_everything_that_a_stage_imports(stage: str) -> None:
    deps = [ROOT / dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")]
    wanted = transitive_imports(SOURCE / f"gemel/stages/{stage}.py")
    missing = {
        str(path.relative_to(ROOT))
        for path in wanted
        if not does_nothing(path) and not any(path == dep or dep in path.parents for dep in deps)
    }
    assert not missing, f"dvc.yaml, stage {stage}: add deps {sorted(missing)}"


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_nothing_that_a_stage_does_not_import(stage: str) -> None:
    wanted = transitive_imports(SOURCE / f"gemel/stages/{stage}.py")
    deps = [ROOT / dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")]
    idle = [dep for dep in deps if not any(path == dep or dep in path.parents for path in wanted)]
    assert not idle


@pytest.mark.parametrize("stage", STAGES)
def test_one_name_in_five_places(stage: str) -> None:
    assert (SOURCE / f"gemel/stages/{stage}.py").is_file()
    # A mapping where an output has options.
    assert [name for out in STAGES[stage]["outs"] for name in ([out] if isinstance(out, str) else out)] == [
        f"artifacts/{stage}"
    ]
    assert STAGES[stage]["cmd"] == f"python -m gemel.stages.{stage}"
    assert (ROOT / f"tests/stages/test_{stage}.py").is_file()


def test_runtime_settings_are_in_no_params() -> None:
    params = [name for stage in STAGES.values() for name in stage.get("params", [])]
    assert not [name for name in params if name.startswith("runtime")]
