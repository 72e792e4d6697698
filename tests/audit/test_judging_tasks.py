"""Tasks to judge in Label Studio: of its form, fitting their configuration, and not suggesting a judgement."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from audit.sampled import draw, sample_in
from interchange.label_studio_schema import TASKS as SCHEMA
from interchange.label_studio_schema import tag_types, variables

from gemel.audit.files import CONFIG, TASKS
from gemel.audit.judgements import Verdict


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return draw(tmp_path, 6)


@pytest.fixture
def tasks(sample: Path) -> list[dict[str, Any]]:
    return json.loads((sample / TASKS).read_text(encoding="utf-8"))


def test_tasks_are_of_label_studios_form_in_the_order_drawn(sample: Path, tasks: list[dict[str, Any]]) -> None:
    jsonschema.validate(tasks, SCHEMA)
    assert [task["data"]["item"] for task in tasks] == [item.item for item in sample_in(sample).items]


def test_configuration_shows_what_the_tasks_hold(sample: Path, tasks: list[dict[str, Any]]) -> None:
    config = (sample / CONFIG).read_text(encoding="utf-8")
    assert tag_types(config)["judgement"] == "choices"
    assert all(f'<Choice value="{verdict}"/>' in config for verdict in Verdict)
    assert all(variables(config) <= set(task["data"]) for task in tasks)


def test_only_the_mention_is_marked_beforehand(tasks: list[dict[str, Any]]) -> None:
    names = {region["from_name"] for task in tasks for region in task["predictions"][0]["result"]}
    assert names == {"mention"}


def test_question_states_the_link_and_the_runners_up_are_offered(tasks: list[dict[str, Any]]) -> None:
    (data,) = [task["data"] for task in tasks if task["data"]["post_id"] == "once"]
    assert data["question"] == "“Jaguar” was linked to Jaguar Cars (Q30055). Is that right?"
    assert [each["value"] for each in data["candidates"]] == ["Jaguar (Q35694)", "Jaguar (boat) (kb:7 a)"]
