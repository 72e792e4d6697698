"""Judgements in Label Studio: the tasks to judge, and its export with what was said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gemel.audit.judgements import Judgement, Verdict, parse_verdict
from gemel.audit.sampling import Sample
from gemel.core.errors import DataError
from gemel.interchange.label_studio import SHOWN, prediction, task_data
from gemel.interchange.rows import LinkedMention

# The judgement is nobody's suggestion: only the mention is marked beforehand.
JUDGING_CONFIG = f"""<View>
{SHOWN}  <Choices name="judgement" toName="text" choice="single" required="true">
{"".join(f'    <Choice value="{verdict}"/>{chr(10)}' for verdict in Verdict)}  </Choices>
  <View visibleWhen="choice-selected" whenTagName="judgement" whenChoiceValue="wrong">
    <Choices name="right_entity" toName="text" choice="single" value="$candidates"/>
    <TextArea name="other_entity" toName="text" maxSubmissions="1" placeholder="id or name of another entity"/>
  </View>
</View>
"""


def judging_tasks(
    sample: Sample, drawn: Sequence[LinkedMention], image_root: Path, image_url: str
) -> Iterator[dict[str, Any]]:
    """Tasks for JUDGING_CONFIG, in the order drawn. image_root, image_url: as interchange.label_studio takes them."""
    for item, each in zip(sample.items, drawn, strict=True):
        question = f"“{each.mention}” was linked to {each.best.name} ({each.best.entity_id}). Is that right?"
        data = task_data(each, image_root, image_url)
        offered = data["candidates"][1:]
        data |= {"item": item.item, "question": question, "candidates": offered}
        yield {"data": data, "predictions": prediction(each, [])}


def read_export(path: Path) -> Iterator[Judgement]:
    """Read the judgements of Label Studio's export as JSON; skipped and unfinished annotations are none.

    Raises: DataError, naming file and task, if it is no such export or a judgement is another word.
    """
    for number, task in enumerate(_tasks(path), 1):
        where = f"{path} task {task.get('id', number)}"
        data, annotations = task.get("data"), task.get("annotations")
        if not isinstance(data, dict) or not isinstance(annotations, list):
            raise DataError(f"{where}: has no data and annotations; export as JSON, not as JSON-MIN or CSV")
        if not isinstance(data.get("item"), str):
            raise DataError(f"{where}: its data has no item; export the project that tasks.json was imported into")
        for annotation in annotations:
            answers = _answers(annotation, where)
            if answers["judgement"] and not annotation.get("was_cancelled"):
                verdict = parse_verdict(answers["judgement"], where)
                right = answers["other_entity"] or answers["right_entity"]
                yield Judgement(data["item"], _annotator(annotation, where), verdict, right, where)


def _tasks(path: Path) -> list[dict[str, Any]]:
    try:
        tasks = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give Label Studio's export as JSON") from None
    except (OSError, ValueError) as error:
        found = "the file is empty" if path.is_file() and not path.stat().st_size else f"no JSON ({error})"
        raise DataError(f"{path}: {found}; export the project as JSON again") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise DataError(f"{path}: expected a list of tasks, found {type(tasks).__name__}; export the project as JSON")
    return tasks


def _answers(annotation: object, where: str) -> Mapping[str, str]:
    """What was chosen or written under each name; "" for nothing."""
    if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
        raise DataError(f"{where}: an annotation without a result; export the project as JSON again")
    answers = dict.fromkeys(("judgement", "right_entity", "other_entity"), "")
    for region in annotation["result"]:
        value = region.get("value") if isinstance(region, dict) else None
        given = (value.get("choices") or value.get("text")) if isinstance(value, dict) else None
        if isinstance(given, list) and given and region.get("from_name") in answers:
            answers[region["from_name"]] = str(given[0]).strip()
    return answers


def _annotator(annotation: Mapping[str, Any], where: str) -> str:
    """Who annotated: the email where the export has users, else their number."""
    by = annotation.get("completed_by")
    name = (by.get("email") or by.get("id")) if isinstance(by, dict) else by
    if name is None or name == "":
        raise DataError(f"{where}: completed_by is empty, so nobody judged it; export with the annotators")
    return str(name)
