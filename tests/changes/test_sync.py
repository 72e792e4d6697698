"""A catalog is made what its knowledge base is now."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gemel.changes.edits import CatalogEditor
from gemel.changes.sync import SyncPlan, apply_sync, plan_sync, read_all, read_source
from gemel.core.errors import DataError, RequestError
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.posts.redirects import read_redirects

BASE = Catalog.of(
    [
        Entity("Q308", "Mercury", "Mercury", "first planet", "planet"),
        Entity("Q313", "Venus", "Venus"),
        Entity("Q2", "Earth", "Earth"),
    ]
)


@pytest.fixture
def editor() -> CatalogEditor:
    return CatalogEditor(BASE, (), {"Q313": 2})


def source(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "newer.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(entity_id: str, label: str, **more: Any) -> dict[str, Any]:
    return {"id": entity_id, "label": label, **more}


def sync(editor: CatalogEditor, path: Path, redirects: dict[str, str] | None = None, *, yes: bool = True) -> SyncPlan:
    plan = plan_sync(editor, read_source(path)[0], redirects or {})
    apply_sync(editor, plan, with_demonstrations=yes)
    return plan


def test_differences_are_counted_and_applied(editor: CatalogEditor, tmp_path: Path) -> None:
    newer = source(tmp_path, row("Q308", "Hermes"), row("Q2", "Earth"), row("Q111", "Mars"), row("Q925", "Hermes"))
    plan = sync(editor, newer)
    own = "kept, as they were added here"
    assert plan.counts() == {"added": 2, "renamed": 1, "removed": 1, "redirected": 0, own: 0}
    assert dict(zip(editor.catalog.ids, editor.catalog.names, strict=True)) == {
        "Q308": "Hermes (Q308)",
        "Q2": "Earth",
        "Q111": "Mars",
        "Q925": "Hermes",
    }


def test_second_sync_changes_nothing(editor: CatalogEditor, tmp_path: Path) -> None:
    newer = source(tmp_path, row("Q308", "Hermes"), row("Q2", "Earth"), row("Q111", "Mars"))
    sync(editor, newer)
    changes = dict(editor.changes)
    assert set(sync(editor, newer).counts().values()) == {0}
    assert editor.changes == changes


def test_what_was_changed_here_by_hand_stays(editor: CatalogEditor, tmp_path: Path) -> None:
    editor.add([Entity("X1", "", "Vulcan")])
    editor.rename("Q2", "Terra")
    editor.remove(["Q313"], with_demonstrations=True)
    plan = sync(editor, source(tmp_path, row("Q308", "Mercury"), row("Q2", "Earth"), row("Q313", "Venus")))
    assert plan == SyncPlan(own=1)
    assert editor.catalog.names == ("Mercury", "Terra", "Vulcan")


def test_merged_entity_leaves_its_name_to_the_living_one(editor: CatalogEditor, tmp_path: Path) -> None:
    newer = source(tmp_path, row("Q308", "Mercury"), row("Q2", "Earth"), row("Q9", "Venus"))
    sync(editor, newer, {"Q313": "Q9", "Q777": "Q2"})
    assert editor.catalog.entity("Q313") == editor.catalog.entity("Q9") == Entity("Q9", "Venus", "Venus")
    assert editor.catalog.redirects == {"Q313": "Q9"}


def test_redirects_alone_remove_nothing(editor: CatalogEditor) -> None:
    plan = plan_sync(editor, None, {"Q313": "Q2", "Q999": "Q2"})
    assert plan == SyncPlan(redirected={"Q313": "Q2"})
    apply_sync(editor, plan, with_demonstrations=False)
    assert editor.catalog.ids == ("Q308", "Q2")


def test_removal_of_demonstrations_has_to_be_meant(editor: CatalogEditor, tmp_path: Path) -> None:
    newer = source(tmp_path, row("Q308", "Mercury"), row("Q2", "Earth"))
    with pytest.raises(RequestError, match="2 demonstrations show entities to be removed and would go with them"):
        sync(editor, newer, yes=False)


def test_redirect_to_an_unknown_id_is_refused(editor: CatalogEditor) -> None:
    plan = plan_sync(editor, None, {"Q313": "Q31"})
    words = "1 redirects lead to ids that the catalog lacks, e.g. 'Q313' to 'Q31'; add these first"
    with pytest.raises(DataError, match=re.escape(words)):
        apply_sync(editor, plan, with_demonstrations=False)


def test_redirects_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "redirects.tsv").write_text("Q1\tQ2\nQ2\tQ1\n")
    with pytest.raises(DataError, match="redirects run in a circle, Q1 → Q2 → Q1; remove one of them"):
        read_redirects(tmp_path / "redirects.tsv")


def test_file_to_add_is_refused_if_a_row_can_not_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"newer\.jsonl line 2: duplicate id 'Q1', first on line 1 \(2 such rows\)"):
        read_all(source(tmp_path, row("Q1", "a"), row("Q1", "b"), {"id": "Q2"}))


def test_table_is_read_as_an_import_reads_it(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("id,label,aliases,type\nQ111,Mars,Red Planet|Ares,planet\n")
    assert read_all(tmp_path / "new.csv") == (
        Entity("Q111", "", "Mars", entity_type="planet", aliases=("Red Planet", "Ares")),
    )
