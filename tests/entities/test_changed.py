"""A catalog with changes: who is in it, under which name, and which changes no longer fit."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import DataError
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.entities.changed import ChangedCatalog, EntityChange, changed_catalog, free_names

MERCURY = Entity("Q308", "Mercury", "Mercury", "first planet", "planet")
VENUS = Entity("Q313", "Venus", "Venus")
EARTH = Entity("Q2", "Earth", "Earth")
MARS = Entity("Q111", "Mars", "Mars", "fourth planet", "planet")
BASE = Catalog.of([MERCURY, VENUS, EARTH])


def added(entity: Entity) -> EntityChange:
    return EntityChange(entity.entity_id, added=entity)


def renamed(entity_id: str, name: str) -> EntityChange:
    return EntityChange(entity_id, name=name)


def removed(entity_id: str) -> EntityChange:
    return EntityChange(entity_id, removed=True)


def redirected(old: str, living: str) -> EntityChange:
    return EntityChange(old, redirect=living)


def names(changed: ChangedCatalog) -> dict[str, str]:
    return dict(zip(changed.catalog.ids, changed.catalog.names, strict=True))


def test_no_change_gives_the_catalog_itself() -> None:
    assert changed_catalog(BASE, []).catalog is BASE


def test_each_kind_of_change_is_made_and_counted() -> None:
    changes = [added(MARS), renamed("Q308", "Mercury (planet)"), removed("Q313")]
    found = changed_catalog(BASE, changes)
    assert names(found) == {"Q308": "Mercury (planet)", "Q2": "Earth", "Q111": "Mars"}
    assert found.done == {"added": 1, "renamed": 1, "removed": 1, "redirected": 0}
    assert not found.unfit
    assert found.catalog.entity("Q111") == MARS
    assert found.catalog.entity("Q308") == replace(MERCURY, name="Mercury (planet)")


def test_old_id_leads_to_the_entity_that_it_was_merged_into() -> None:
    found = changed_catalog(BASE, [redirected("Q313", "Q2"), redirected("Q9", "Q313")]).catalog
    assert found.ids == ("Q308", "Q2")
    assert found.entity("Q313") == found.entity("Q9") == EARTH
    assert "Q313" in found
    assert "Q10" not in found


def test_two_entities_may_exchange_names() -> None:
    found = changed_catalog(BASE, [renamed("Q308", "Venus"), renamed("Q313", "Mercury")])
    assert names(found) == {"Q308": "Venus", "Q313": "Mercury", "Q2": "Earth"}


def test_name_of_a_removed_entity_is_free() -> None:
    assert names(changed_catalog(BASE, [removed("Q313"), renamed("Q2", "Venus")]))["Q2"] == "Venus"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (added(VENUS), "added here, but the data set has it now"),
        (removed("Q9"), "removed here, and the data set no longer has it"),
        (renamed("Q9", "Nine"), "renamed here, but the data set no longer has it"),
        (renamed("Q2", "Earth"), "renamed here, and the data set has that name now"),
        (renamed("Q2", "Venus"), "can't be named 'Venus', which is another entity's name now"),
    ],
)
def test_change_that_does_not_fit_the_base_is_left_out_and_told(change: EntityChange, words: str) -> None:
    found = changed_catalog(BASE, [change, added(MARS)])
    assert names(found) == {**dict(zip(BASE.ids, BASE.names, strict=True)), "Q111": "Mars"}
    assert found.unfit == {change.entity_id: words}
    assert found.dropped == {change.entity_id}
    assert found.done == {"added": 1, "renamed": 0, "removed": 0, "redirected": 0}


def test_added_entity_gives_way_to_a_name_that_the_base_has_now() -> None:
    found = changed_catalog(BASE, [added(replace(MARS, name="Venus"))])
    assert names(found)["Q313"] == "Venus"
    assert names(found)["Q111"] == "Mars"
    assert found.unfit == {"Q111": "named 'Mars' now, as 'Venus' is another entity's name"}
    assert not found.dropped


def test_redirect_to_an_entity_that_is_gone_is_told() -> None:
    found = changed_catalog(BASE, [redirected("Q313", "Q9")])
    assert found.unfit == {"Q313": "it redirects to 'Q9', which is gone"}
    assert "Q313" not in found.catalog


def test_redirects_in_a_circle_are_refused() -> None:
    with pytest.raises(DataError, match=re.escape("redirects run in a circle, Q2 → Q313 → Q2; remove one of them")):
        changed_catalog(BASE, [redirected("Q2", "Q313"), redirected("Q313", "Q2")])


def test_removing_all_is_refused() -> None:
    with pytest.raises(DataError, match="the catalog has no entities, so there is nothing to link to"):
        changed_catalog(BASE, map(removed, BASE.ids))


def test_two_changes_of_one_entity_are_refused() -> None:
    with pytest.raises(DataError, match=r"1 entities have two changes each, e\.g\. 'Q2'; keep one"):
        changed_catalog(BASE, [removed("Q2"), renamed("Q2", "Terra")])


def test_new_entity_takes_the_next_free_rung() -> None:
    (twin,) = free_names(BASE, [Entity("Q925", "", "Mercury", "metal", "chemical element")])
    assert twin.name == "Mercury (chemical element)"
    (third,) = free_names(Catalog.of([MERCURY, twin]), [Entity("Q7", "", "Mercury", "a metal", "chemical element")])
    assert third.name == "Mercury (a metal)"


CHANGES = st.lists(
    st.one_of(
        st.builds(
            lambda i, n: added(Entity(f"A{i}", f"new {i} {n}", f"new {n}")), st.integers(0, 9), st.integers(0, 99)
        ),
        st.builds(lambda i, n: renamed(BASE.ids[i], n), st.integers(0, 2), st.sampled_from(["Venus", "x", "y"])),
        st.builds(lambda i: removed(BASE.ids[i]), st.integers(0, 1)),
    ),
    max_size=8,
    unique_by=lambda change: change.entity_id,
)


@settings(deadline=None)
@given(CHANGES, st.randoms(use_true_random=False))
def test_result_depends_on_the_set_of_changes_alone(changes: list[EntityChange], random: object) -> None:
    first = changed_catalog(BASE, changes)
    random.shuffle(changes)  # type: ignore[attr-defined]
    second = changed_catalog(BASE, changes)
    assert first.catalog.table.equals(second.catalog.table)
    assert first.unfit == second.unfit
