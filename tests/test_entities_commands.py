"""`gemel entities …` on the tiny project."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gemel.bundle import read_bundle
from gemel.cli import app
from gemel.core.errors import GemelError
from gemel.stages import RELEASE

pytestmark = pytest.mark.usefixtures("project_copy")


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["entities", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_entity_is_added_told_apart_listed_and_removed() -> None:
    said = run("add", "--id", "X1", "--label", "Jaguar (animal)", "--type", "probe", "--alias", "Jag")
    assert "Added: 1 entities. X1: 'Jaguar (animal)' is named 'Jaguar (animal) (probe)'." in said
    assert read_bundle(RELEASE).catalog.entity("X1").aliases == ("Jag",)
    assert run("list", "--changed") == "X1 Jaguar (animal) (probe) added"
    assert run("list", "--prefix", "Amazon") == "Q3783 Amazon"
    assert "Removed: 1 entities, with them 0 demonstrations." in run("remove", "X1")
    assert run("list", "--changed") == ""


def test_entities_of_a_file_are_added(tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text('{"id": "X1", "label": "Mars"}\n{"id": "X2", "name": "Ceres"}\n')
    assert "Added: 2 entities." in run("add", str(tmp_path / "new.jsonl"))
    assert read_bundle(RELEASE).catalog.names[-2:] == ("Mars", "Ceres")


def test_demonstrations_take_the_new_name_and_go_with_their_entity() -> None:
    run("rename", "Q3783", "Amazon River")
    names = read_bundle(RELEASE).demonstrations.filter(entity_id="Q3783")["name"]
    assert set(names) == {"Amazon River"}
    with pytest.raises(GemelError, match=r"3 demonstrations show entities to be removed .* give --yes"):
        run("remove", "Q3783")
    assert "with them 3 demonstrations" in run("remove", "Q3783", "--yes")
    assert read_bundle(RELEASE).demonstrations.filter(entity_id="Q3783").is_empty()
    assert "Restored: 1 entities." in run("restore", "Q3783")
    assert run("list", "--changed") == ""


def test_old_id_leads_to_the_living_entity_in_the_release(tmp_path: Path) -> None:
    (tmp_path / "redirects.tsv").write_text("Q35694\tQ30055\n")
    said = run("sync", "--redirects", str(tmp_path / "redirects.tsv"), "--dry-run")
    assert "redirected │ 1" in said
    assert run("list", "--changed") == ""
    run("sync", "--redirects", str(tmp_path / "redirects.tsv"))
    bundle = read_bundle(RELEASE)
    assert bundle.catalog.entity("Q35694").entity_id == "Q30055"
    assert bundle.demonstrations.filter(entity_id="Q35694").is_empty()
    assert bundle.demonstrations.filter(entity_id="Q30055").height == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add",), "give either a file of entities, or --id with --label or --name"),
        (("add", "new.jsonl", "--label", "x"), "--name, --label and the others are for one entity with --id"),
        (("sync",), "give the newer state of the knowledge base, --redirects, or both"),
        (("add", "--id", "Q308", "--label", "Mercury"), "entity 'Q308' is in the catalog already"),
    ],
)
def test_bad_call_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(GemelError, match=said):
        run(*words)
