"""What the LLM wrote is looked up among the catalog's names, and stays at its place if it is none."""

from unittest.mock import Mock

from small_catalog import ENTITIES, asked, ids

from gemel.answerer import Asked
from gemel.baselines.free_text import Written
from gemel.baselines.llm import NAMELESS, WrittenNames
from gemel.entities.catalog import Catalog
from gemel.evaluation.predictions import prediction_table
from gemel.llm.segments import Prompt, Segment

PROMPT = Prompt((Segment((1, 2)),))


def linked(*texts: str) -> tuple[WrittenNames, Mock]:
    answerer, writer = Mock(), Mock()
    answerer.ask.return_value = [Asked(PROMPT, 1, 20)]
    writer.write.return_value = [[Written(text, -float(place)) for place, text in enumerate(texts)]]
    catalog = Catalog(ENTITIES)
    return WrittenNames(answerer, writer, catalog, {"m0": (4, 2)}, lambda _: None, "nothing"), answerer


def test_names_of_the_catalog_become_their_entities() -> None:
    baseline, _ = linked("Jaguar (car)", "Amazon River")
    assert ids(*baseline.answer(asked("Jaguar"))) == ["Q2", "Q3"]


def test_text_that_is_no_name_is_wrong_at_its_place() -> None:
    baseline, _ = linked("Jaguar", "Jaguar (animal)")
    found = baseline.answer(asked("Jaguar"))
    assert ids(*found) == [NAMELESS, "Q1"]
    assert prediction_table(asked("Jaguar"), "test", "llm_alone", 0, found)["place"].to_list() == [2]


def test_prompts_show_the_chosen_demonstrations() -> None:
    baseline, answerer = linked("Jaguar (car)")
    baseline.answer(asked("Jaguar"))
    (query,), sight = answerer.ask.call_args.args
    assert (query.demonstrations, query.mention.text, sight) == ((4, 2), "Jaguar", "nothing")


def test_what_did_not_fit_is_told() -> None:
    baseline, _ = linked("Jaguar (car)")
    (answer,) = baseline.answer(asked("Jaguar"))
    assert (answer.left_out, answer.kept_characters) == (1, 20)
