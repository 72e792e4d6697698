"""The pages of the stages against the code: settings with their defaults, files, columns, keys, words of errors."""

import ast
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import polars as pl
import pytest
import yaml
from documents import DOCS, ROOT, Table, in_code, sections, tables

from gemel.core.settings import (
    BackboneSettings,
    BaselineSettings,
    ConfidenceSettings,
    DemonstrationSettings,
    EvaluationSettings,
    ImagesSettings,
    MapperSettings,
    PromptSettings,
    RuntimeSettings,
    TrainingRuntime,
    TrieSettings,
)
from gemel.evaluation.grading import Graded
from gemel.evaluation.judged import EVIDENCE_SCHEMA
from gemel.evaluation.predictions import prediction_table
from gemel.links import SCHEMA
from gemel.posts.checks import Limits
from gemel.posts.columns import SCHEMAS
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
# Where each section of the settings is described, and as what it is read.
SECTIONS: dict[str, tuple[str, Any]] = {
    "images": ("stages/posts.md", ImagesSettings),
    "posts": ("stages/posts.md", Limits),
    "demonstrations": ("stages/demonstrations.md", DemonstrationSettings),
    "entity_trie": ("stages/entity_trie.md", TrieSettings),
    "mapper": ("stages/mapper.md", MapperSettings),
    "prompt": ("stages/mapper.md", PromptSettings),
    "evaluation": ("stages/evaluation.md", EvaluationSettings),
    "baselines": ("stages/baselines.md", BaselineSettings),
    "confidence": ("stages/confidence.md", ConfidenceSettings),
    "backbone": ("backbones.md", BackboneSettings),
    "runtime": ("settings.md", RuntimeSettings),
    "runtime.training": ("training.md", TrainingRuntime),
}
NO_GRADED = Graded(pl.DataFrame(schema={"mention_id": pl.String, "entity_id": pl.String}), None, 0, 0)  # type: ignore[arg-type]
COLUMNS = {
    **{("stages/posts.md", f"{table}.parquet"): list(schema) for table, schema in SCHEMAS.items()},
    ("stages/demonstrations.md", "corpus.parquet"): list(CORPUS_SCHEMA),
    ("stages/evaluation.md", "predictions.parquet"): prediction_table(NO_GRADED, "dev", "full", 0, []).columns,
    ("stages/confidence.md", "evidence.parquet"): list(EVIDENCE_SCHEMA),
    ("quickstart.md", "links.parquet"): list(SCHEMA),
}


def page_of(stage: str) -> Path:
    return DOCS / f"stages/{stage}.md"


def fields(section: str, settings: Any) -> Iterator[str]:
    """Dotted names of all settings of a section, those of a section with a page of its own left out."""
    types = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        name = f"{section}.{field.name}"
        if dataclasses.is_dataclass(types[field.name]):
            yield from () if name in SECTIONS else fields(name, types[field.name])
        else:
            yield name


def described(page: str, section: str) -> dict[str, str]:
    """Setting -> its default as the page's tables have it."""
    rows = (row for table in tables(DOCS / page) if table.header[0] == "setting" for row in table.rows)
    return {row[0].strip("`"): row[1] for row in rows if row[0].strip("`").startswith(f"{section}.")}


def value_of(setting: str) -> object:
    value: Any = PARAMS
    for key in setting.split("."):
        # What conf/ leaves to the dataclass has the dataclass's default.
        value = value[key] if key in value else DEFAULTS[setting]
    return value


DEFAULTS = {
    f"backbone.llm.{field.name}": field.default
    for field in dataclasses.fields(get_type_hints(BackboneSettings)["llm"])
    if field.default is not dataclasses.MISSING
}


@pytest.mark.parametrize("section", SECTIONS)
def test_page_describes_every_setting_and_no_other(section: str) -> None:
    page, settings = SECTIONS[section]
    assert sorted(described(page, section)) == sorted(fields(section, settings))


@pytest.mark.parametrize("section", SECTIONS)
def test_defaults_on_the_page_are_those_of_the_project(section: str) -> None:
    stated = {
        setting: yaml.safe_load(default.strip("`"))
        for setting, default in described(SECTIONS[section][0], section).items()
        if default.startswith("`")
    }
    assert stated == {setting: value_of(setting) for setting in stated}


def test_every_section_of_the_settings_has_a_page() -> None:
    # The data set's name is no section, and watched_without_checkpoint no setting but a table that conf/ looks up.
    assert {section.partition(".")[0] for section in SECTIONS} == PARAMS.keys() - {
        "dataset",
        "watched_without_checkpoint",
    }


@pytest.mark.parametrize("stage", STAGES)
def test_head_of_the_page_names_stage_module_settings_and_artifact(stage: str) -> None:
    head = {row[0]: row[1] for row in tables(page_of(stage))[0].rows}
    assert (ROOT / f"src/gemel/stages/{stage}.py").is_file()
    assert f"gemel.stages.{stage}]" in head["stage, module"]
    assert in_code(head["stage, module"]) == [stage]
    assert in_code(head["settings"]) == STAGES[stage]["params"]
    assert in_code(head["artifact"]) == [f"artifacts/{stage}/"]


def test_every_stage_has_a_page_and_every_page_a_stage() -> None:
    assert {path.stem for path in (DOCS / "stages").glob("*.md")} == STAGES.keys() | {"index"}


def written(stage: str) -> list[str]:
    """The files of the page's table, words in capitals standing for what varies."""
    (table,) = (table for table in tables(page_of(stage)) if table.heading == "Writes")
    return [file for row in table.rows for file in in_code(row[0])]


def pattern(file: str) -> str:
    return re.sub(r"[A-Z]+", r"[\\w-]+", re.escape(file).replace(r"\-", "-"))


def artifact_of(stage: str) -> Path:
    folder = ROOT / "artifacts" / stage
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"no artifact {stage} here; `dvc repro` makes it")
    return folder


@pytest.mark.parametrize("stage", STAGES)
def test_files_on_the_page_are_those_of_the_artifact(stage: str) -> None:
    folder = artifact_of(stage)
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    named = written(stage)
    assert not [file for file in found if not any(re.fullmatch(pattern(name), file) for name in named)]
    assert not [name for name in named if not any(re.fullmatch(pattern(name), file) for file in found)]


def parquet_tables(page: Path) -> list[tuple[str, Table]]:
    titled = [(re.fullmatch(r"Columns of `(.*\.parquet)`", table.heading), table) for table in tables(page)]
    return [(title[1], table) for title, table in titled if title]


@pytest.mark.parametrize("page,file", COLUMNS, ids=lambda words: str(words))
def test_columns_on_the_page_are_those_of_the_code(page: str, file: str) -> None:
    (table,) = (table for name, table in parquet_tables(DOCS / page) if name == file)
    assert [row[0].strip("`") for row in table.rows] == COLUMNS[page, file]


@pytest.mark.parametrize("stage", STAGES)
def test_columns_on_the_page_are_those_of_the_artifact(stage: str) -> None:
    folder = artifact_of(stage)
    for file, table in parquet_tables(page_of(stage)):
        for path in [each for each in folder.iterdir() if re.fullmatch(pattern(file), each.name)]:
            assert [row[0].strip("`") for row in table.rows] == pl.read_parquet_schema(path).names()


@pytest.mark.parametrize("stage", STAGES)
def test_keys_of_json_files_are_named(stage: str) -> None:
    folder = artifact_of(stage)
    named = {heading: set(in_code(text)) for heading, text in sections(page_of(stage))}
    facts = json.loads((folder / "manifest.json").read_text())["facts"]
    assert facts.keys() <= named["Facts of `manifest.json`"]
    for heading, words in named.items():
        if title := re.fullmatch(r"Keys of `(.*\.json)`", heading):
            content = json.loads((folder / title[1]).read_text())
            assert content.keys() | content.get("test", {}).keys() <= words


def constants() -> str:
    """All strings of the library, each on a line of its own; of f-strings what stands between the values."""
    nodes = (node for path in (ROOT / "src").rglob("*.py") for node in ast.walk(ast.parse(path.read_text())))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


CONSTANTS = constants()


def quoted_errors() -> list[tuple[str, str]]:
    return [
        (page.stem, code)
        for page in sorted((DOCS / "stages").glob("*.md"))
        for table in tables(page)
        if table.header[0] == "the error says"
        for row in table.rows
        for code in in_code(row[0])
    ]


@pytest.mark.parametrize("page,words", quoted_errors())
def test_errors_are_quoted_in_the_words_of_the_code(page: str, words: str) -> None:  # noqa: ARG001 (in the id)
    parts = [part.strip() for part in words.split("…")]
    assert not [part for part in parts if part not in CONSTANTS]


@pytest.mark.parametrize("stage", STAGES)
def test_page_says_what_can_go_wrong_and_how_to_look(stage: str) -> None:
    assert {"Reads", "Writes", "Settings", "What can go wrong", "Looking at it"} <= dict(
        sections(page_of(stage))
    ).keys()
