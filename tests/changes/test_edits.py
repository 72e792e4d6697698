"""Edits of a catalog's changes: what they come to, and what is refused in which words."""

import re
from collections.abc import Callable

import pytest

from gemel.changes.edits import CatalogEditor
from gemel.core.errors import DataError, RequestError
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.entities.changed import EntityChange

BASE = Catalog.of(
    [
        Entity("Q308", "Mercury", "Mercury", "first planet", "planet"),
        Entity("Q313", "Venus", "Venus"),
        Entity("Q2", "Earth", "Earth"),
    ]
)
MARS = Entity("Q111", "", "Mars")
METAL = Entity("Q925", "", "Mercury", "metal", "chemical element")


@pytest.fixture
def editor() -> CatalogEditor:
    return CatalogEditor(BASE, (), {"Q308": 3, "Q313": 1})


def test_added_entity_is_named_by_the_next_free_rung_and_no_other_name_changes(editor: CatalogEditor) -> None:
    (named,) = editor.add([METAL])
    assert named.name == "Mercury (chemical element)"
    assert editor.catalog.names == ("Mercury", "Venus", "Earth", "Mercury (chemical element)")


def test_what_is_undone_leaves_no_change(editor: CatalogEditor) -> None:
    editor.add([MARS])
    editor.rename("Q111", "Ares")
    editor.remove(["Q111"])
    editor.rename("Q2", "Terra")
    editor.rename("Q2", "Earth")
    assert editor.changes == {}
    assert editor.catalog.table.equals(BASE.table)


def test_renamed_addition_stays_an_addition(editor: CatalogEditor) -> None:
    editor.add([MARS])
    editor.rename("Q111", " The  red planet ")
    (change,) = editor.changes.values()
    assert change.added is not None
    assert (change.added.name, change.added.label) == ("The red planet", "Mars")


def test_removed_entity_comes_back_when_restored(editor: CatalogEditor) -> None:
    assert editor.remove(["Q313"], with_demonstrations=True) == 1
    editor.restore(["Q313"])
    assert editor.catalog.table.equals(BASE.table)


def test_merged_ids_follow_when_their_entity_is_merged(editor: CatalogEditor) -> None:
    editor.redirect({"Q313": "Q2"})
    editor.redirect({"Q2": "Q308"})
    assert editor.catalog.ids == ("Q308",)
    assert editor.catalog.redirects == {"Q313": "Q308", "Q2": "Q308"}


def test_what_was_merged_into_a_removed_entity_goes_with_it(editor: CatalogEditor) -> None:
    editor.redirect({"Q313": "Q2"})
    assert editor.remove(["Q2"], with_demonstrations=True) == 1
    assert editor.catalog.ids == ("Q308",)
    assert not editor.catalog.redirects


def test_change_that_the_data_set_made_itself_is_dropped_and_told() -> None:
    editor = CatalogEditor(BASE, [EntityChange("Q2", added=Entity("Q2", "Terra", "Terra"))], {})
    assert editor.changes == {}
    assert editor.unfit == {"Q2": "added here, but the data set has it now"}


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (lambda e: e.add([]), DataError, "no entities to add; give --id and --label, or a file that has rows"),
        (
            lambda e: e.add([Entity("Q2", "", "Terra")]),
            DataError,
            "entity 'Q2' is in the catalog already, named",
        ),
        (lambda e: e.add([MARS, MARS]), DataError, "1 entity ids occur more than once: Q111"),
        (
            lambda e: e.add([Entity("Q9", "Venus")]),
            DataError,
            "entity 'Q9': 'Venus' is the name of 'Q313'; choose another",
        ),
        (lambda e: e.add([Entity("Q8", "x"), Entity("Q9", "x")]), DataError, "the name 'x' is given to two entities"),
        (
            lambda e: e.add([Entity("Q9", "Ishtar", aliases=("Venus",))]),
            DataError,
            "entity 'Q9': its alias 'Venus' is the name of 'Q313'; leave it out, or rename that one first",
        ),
        (lambda e: e.add([Entity("Q9", "")]), DataError, "entity 'Q9' has neither a name nor a label"),
        (lambda e: e.remove(["Q3130"]), DataError, "no entity 'Q3130' in the catalog of 3 entities; near it: 'Q313'"),
        (lambda e: e.remove(["venu"]), DataError, "near it: 'Q313' (Venus); see `gemel entities list`"),
        (lambda e: e.remove(["Q308", "Q2"]), RequestError, "3 demonstrations show entities to be removed and would go"),
        (
            lambda e: e.remove(BASE.ids, with_demonstrations=True),
            DataError,
            "the catalog has no entities, so there is nothing to link to",
        ),
        (lambda e: e.rename("Q2", "Venus"), DataError, "'Venus' is the name of 'Q313'; choose another one"),
        (lambda e: e.rename("Q2", " "), DataError, "entity 'Q2': the new name is empty"),
        (lambda e: e.rename("Q7", "x"), DataError, "no entity 'Q7' in the catalog of 3 entities"),
        (lambda e: e.redirect({"Q2": "Q308", "Q308": "Q2"}), DataError, "redirects run in a circle, Q2 → Q308 → Q2"),
        (
            lambda e: e.redirect({"Q2": "Q9"}),
            DataError,
            "1 redirects lead to ids that the catalog lacks, e.g. 'Q2' to 'Q9'; add these first",
        ),
        (lambda e: e.restore(["Q2"]), DataError, "nothing is changed about 'Q2'; see `gemel entities list --changed`"),
    ],
)
def test_bad_edit_is_refused_and_changes_nothing(
    editor: CatalogEditor, edit: Callable[[CatalogEditor], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        edit(editor)
    assert editor.changes == {}
    assert editor.catalog is BASE


def test_removed_entity_is_not_added_again_but_restored(editor: CatalogEditor) -> None:
    editor.remove(["Q2"])
    words = "entity 'Q2' is in the data set and was removed; `gemel entities restore Q2` undoes that"
    with pytest.raises(DataError, match=re.escape(words)):
        editor.add([Entity("Q2", "Earth")])


def test_merged_entity_is_said_to_be_merged(editor: CatalogEditor) -> None:
    editor.redirect({"Q313": "Q2"})
    with pytest.raises(DataError, match="no entity 'Q313' in the catalog of 2 entities, it was merged into 'Q2'"):
        editor.remove(["Q313"])


def test_restored_entity_whose_name_was_given_away_is_refused(editor: CatalogEditor) -> None:
    editor.rename("Q2", "Terra")
    editor.rename("Q313", "Earth")
    with pytest.raises(DataError, match="'Q313': can't be named 'Earth', which is another entity's name now"):
        editor.restore(["Q2"])
