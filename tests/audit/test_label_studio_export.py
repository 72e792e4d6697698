"""Label Studio's export: several annotators for a task, skipped ones, and files that are something else."""

import json
from pathlib import Path

import pytest
from audit.sampled import annotation, draw, exported, sample_in

from gemel.audit.judgements import Verdict
from gemel.audit.label_studio import read_export
from gemel.core.errors import DataError


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return draw(tmp_path, 6)


def test_every_annotator_of_a_task_is_a_judgement(sample: Path, tmp_path: Path) -> None:
    by = [
        annotation(1, "correct"),
        annotation({"id": 2, "email": "ben@x.org"}, "wrong"),
        annotation({"id": 3}, "unsure"),
    ]
    found = list(read_export(exported(sample, tmp_path / "export.json", {2: by})))
    assert [each.annotator for each in found] == ["1", "ben@x.org", "3"]
    assert [each.verdict for each in found] == [Verdict.CORRECT, Verdict.WRONG, Verdict.UNSURE]
    assert {each.item for each in found} == {sample_in(sample).items[2].item}
    assert found[0].where.endswith("export.json task 102")


def test_skipped_and_unfinished_annotations_are_no_judgements(sample: Path, tmp_path: Path) -> None:
    none = [annotation(1, "correct", cancelled=True), annotation(2, None)]
    assert list(read_export(exported(sample, tmp_path / "export.json", {0: none}))) == []


def test_right_entity_is_the_written_one_before_the_chosen_one(sample: Path, tmp_path: Path) -> None:
    done = {0: [annotation(1, "wrong", "Jaguar (Q35694)")], 1: [annotation(1, "wrong", "Jaguar (Q35694)", "Q5")]}
    found = list(read_export(exported(sample, tmp_path / "export.json", done)))
    assert [each.right_entity for each in found] == ["Jaguar (Q35694)", "Q5"]


def test_another_word_is_named_with_its_task(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="task 100: judgement 'maybe'; write correct, wrong, unsure"):
        list(read_export(exported(sample, tmp_path / "export.json", {0: [annotation(1, "maybe")]})))


def test_judgement_of_nobody_is_refused(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="task 100: completed_by is empty, so nobody judged it; export with the"):
        list(read_export(exported(sample, tmp_path / "export.json", {0: [annotation(None, "wrong")]})))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty; export the project as JSON again"),
        ("no json", r"no JSON \("),
        ('{"a": 1}', "expected a list of tasks, found dict"),
        ('[{"id": 7, "text": "flat"}]', "task 7: has no data and annotations; export as JSON, not as JSON-MIN or CSV"),
        ('[{"data": {}, "annotations": []}]', "task 1: its data has no item; export the project that tasks.json was"),
        ('[{"data": {"item": "a"}, "annotations": [{}]}]', "task 1: an annotation without a result; export the"),
    ],
)
def test_other_files_are_no_exports(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=words):
        list(read_export(tmp_path / "x.json"))


def test_missing_export_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no.json: no such file; give Label Studio's export as JSON"):
        list(read_export(tmp_path / "no.json"))


def test_regions_of_other_controls_say_nothing(tmp_path: Path) -> None:
    regions = [{"from_name": "entity", "value": {"choices": ["correct"]}}, {"from_name": "judgement"}, {"value": 3}]
    task = {"data": {"item": "a"}, "annotations": [{"completed_by": 1, "result": regions}]}
    (tmp_path / "x.json").write_text(json.dumps([task]))
    assert list(read_export(tmp_path / "x.json")) == []
