"""What the documents show can be done: commands and options, settings, files and modules are there, and Python runs."""

import dataclasses
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import typer.main
import yaml
from documents import DOCS, PAGES, README, ROOT, Block, blocks, in_code, links, name, prose

from gemel.cli import app
from gemel.core.settings import LLMSettings
from gemel.posts.expectations import DATA_DOCS
from gemel.stages import POSTS

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
GROUPS = {path.name: {file.stem for file in path.glob("*.yaml")} for path in (ROOT / "conf").iterdir() if path.is_dir()}
BASH = blocks("bash")
# Stands for the reader's own, or is made by the reader.
PLACEHOLDERS = {"NAME", "photos"}
ADDED_TO = {"backbone.llm": LLMSettings}


def lines(block: Block) -> list[list[str]]:
    whole = block.code.replace("\\\n", " ").splitlines()
    return [words for line in whole if (words := shlex.split(line, comments=True))]


def commands(first_word: str) -> list[list[str]]:
    return [words for block in BASH for words in lines(block) if words[0] == first_word]


def gemel_commands() -> list[str]:
    """In blocks and between backticks."""
    inline = [code for page in PAGES for code in in_code(prose(page)) if code.startswith("gemel ")]
    return sorted({shlex.join(words) for words in commands("gemel")} | set(inline))


def paths_of(settings: object, above: str = "") -> set[str]:
    """Dotted names of all settings and sections."""
    if not isinstance(settings, dict):
        return {above}
    inner = {path for key, value in settings.items() for path in paths_of(value, f"{above}.{key}".lstrip("."))}
    return inner | ({above} if above else set())


@pytest.mark.parametrize("line", gemel_commands())
def test_gemel_commands_and_options_exist(line: str) -> None:
    command = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


def overrides() -> list[str]:
    given = [words for words in commands("dvc") if words[1:3] == ["exp", "run"]]
    inline = [shlex.split(code) for page in PAGES for code in in_code(prose(page)) if code.startswith("dvc exp run")]
    return sorted({word for words in (*given, *inline) for flag, word in pairwise(words) if flag == "-S"})


@pytest.mark.parametrize("override", overrides())
def test_settings_that_are_changed_exist(override: str) -> None:
    key, _, value = override.partition("=")
    if key in GROUPS:
        assert value in GROUPS[key] | PLACEHOLDERS | {"…"}
    elif key.startswith("+"):
        # What conf/ leaves to its default has to be added.
        section, _, setting = key.removeprefix("+").rpartition(".")
        assert setting in {field.name for field in dataclasses.fields(ADDED_TO[section])}
        assert key.removeprefix("+") not in paths_of(PARAMS)
    else:
        assert key in paths_of(PARAMS)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_holds_known_settings(block: Block) -> None:
    assert paths_of(yaml.safe_load(block.code)) <= paths_of(PARAMS)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_can_be_read(block: Block) -> None:
    json.loads(block.code)


def test_every_block_is_of_a_language_that_is_tested() -> None:
    found = {language for page in PAGES for language in re.findall(r"^```(\w+)$", page.read_text(), flags=re.MULTILINE)}
    assert found <= {"bash", "python", "yaml", "json", "text"}


@pytest.mark.parametrize("module", sorted({m for p in PAGES for m in re.findall(r"python -m ([\w.]+)", p.read_text())}))
def test_modules_that_are_run_exist(module: str) -> None:
    place = ROOT.joinpath(*module.split("."))
    assert module == "pytest" or place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_linked_files_exist(page: Path) -> None:
    data_docs = ROOT / POSTS / DATA_DOCS / "index.html"  # made by `make repro`
    targets = {(page.parent / link).resolve() for link in links(page)} - {data_docs.resolve()}
    assert not [str(target) for target in targets if not target.exists()]


def test_every_page_is_two_hops_from_the_readme() -> None:
    near = {(ROOT / link).resolve() for link in links(README)}
    pages = {path for path in near if path.suffix == ".md" and path.is_relative_to(DOCS)}
    far = {(page.parent / link).resolve() for page in pages for link in links(page)}
    # Tables of results come and go; their folder lists them, and the site's navigation does.
    tables = {page for page in (DOCS / "results").glob("*.md") if page.stem not in ("index", "protocols")}
    assert not {page.resolve() for page in {*PAGES} - {README} - tables} - near - far


def test_pictures_that_are_named_are_shipped() -> None:
    pictures = {found for page in PAGES for found in re.findall(r"data/sample/images/\w+\.png", page.read_text())}
    assert pictures
    assert not [picture for picture in pictures if not (ROOT / picture).is_file()]


@pytest.fixture
def tiny_project(tmp_path: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder has tiny artifacts where those of the sample would be."""
    artifacts = tmp_path / "artifacts"
    (artifacts / "demonstrations").mkdir(parents=True)
    (artifacts / "evaluation").mkdir()
    (tmp_path / "data").symlink_to(ROOT / "data")
    (artifacts / "release").symlink_to(tiny_release)
    (artifacts / "entity_trie").symlink_to(tiny_release / "trie")
    (artifacts / "demonstrations/corpus.parquet").symlink_to(tiny_release / "corpus.parquet")
    chosen = pl.DataFrame({"mention_id": ["m00"], "rows": [[0, 1]]})
    chosen.write_parquet(artifacts / "demonstrations/chosen_bm25.parquet")
    row = {"split": "test", "variant": "full", "mention_id": "m03", "entity_id": "Q308", "place": 2}
    wrong = pl.DataFrame([row | {"answers": ["Q925", "Q308"], "scores": [-0.1, -0.2]}])
    wrong.write_parquet(artifacts / "evaluation/predictions.parquet")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
@pytest.mark.usefixtures("tiny_project")
@pytest.mark.filterwarnings("ignore:The tiny models know nothing")
def test_python_runs(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block.code, str(block), "exec"), {})
    assert capsys.readouterr().out.strip()
