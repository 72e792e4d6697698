"""Links as Label Studio's tasks: of its documented form, and fitting the configuration beside them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from interchange.label_studio_schema import TASKS, tag_types, variables
from linked_posts import write_linked

from gemel.interchange.export import ExportOptions, config_path, export_links
from gemel.interchange.formats import Format
from gemel.interchange.label_studio import NO_IMAGE


@pytest.fixture
def out(tmp_path: Path) -> Path:
    options = ExportOptions(image_root=tmp_path)
    export_links(write_linked(tmp_path).read(), Format.LABEL_STUDIO, tmp_path / "tasks.json", options)
    return tmp_path / "tasks.json"


@pytest.fixture
def tasks(out: Path) -> list[dict[str, Any]]:
    return json.loads(out.read_text(encoding="utf-8"))


def test_tasks_are_of_label_studios_form(tasks: list[dict[str, Any]]) -> None:
    jsonschema.validate(tasks, TASKS)
    assert len(tasks) == 6


def test_regions_and_data_fit_the_configuration(out: Path, tasks: list[dict[str, Any]]) -> None:
    config = config_path(out).read_text(encoding="utf-8")
    types = tag_types(config)
    for task in tasks:
        assert variables(config) <= set(task["data"])
        for region in task["predictions"][0]["result"]:
            assert types[region["from_name"]] == region["type"]
            assert region["to_name"] in types


def test_mention_is_marked_where_its_place_is_certain(tasks: list[dict[str, Any]]) -> None:
    marks = [region["value"] for region in tasks[0]["predictions"][0]["result"] if region["type"] == "labels"]
    assert marks == [{"start": 6, "end": 12, "text": "Jaguar", "labels": ["Mention"]}]
    assert [region["type"] for region in tasks[3]["predictions"][0]["result"]] == ["choices"]
    assert "Jaguar" in tasks[3]["data"]["question"]


def test_best_candidate_is_chosen_beforehand_among_those_offered(tasks: list[dict[str, Any]]) -> None:
    offered = [each["value"] for each in tasks[0]["data"]["candidates"]]
    assert offered == ["Jaguar Cars (Q30055)", "Jaguar (Q35694)", "Jaguar (boat) (kb:7 a)"]
    assert tasks[0]["predictions"][0]["result"][1]["value"] == {"choices": offered[:1]}
    assert tasks[0]["predictions"][0]["score"] == 0.6


def test_image_is_a_quoted_url_and_never_missing(tasks: list[dict[str, Any]]) -> None:
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=photos/a%20b.png"
    assert tasks[1]["data"]["image"] == NO_IMAGE
