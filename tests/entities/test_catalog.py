"""Unique names for entities, and finding entities by id, name and index."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import ArtifactError, DataError
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog, unique_names

PLANET = Entity("Q308", "", "Mercury", "first planet from the Sun", "planet")
METAL = Entity("Q925", "", "Mercury", "chemical element", "chemical element")
GOD = Entity("Q1150", "", "Mercury", "Roman god", "deity")


def names(*entities: Entity) -> list[str]:
    return [entity.name for entity in unique_names(entities).entities]


def test_explicit_unique_name_is_kept() -> None:
    assert names(replace(PLANET, name="Mercury the planet"), METAL) == ["Mercury the planet", "Mercury"]


def test_single_label_is_the_name() -> None:
    assert names(PLANET) == ["Mercury"]


def test_equal_labels_get_the_type() -> None:
    assert names(PLANET, METAL) == ["Mercury (planet)", "Mercury (chemical element)"]


def test_equal_types_get_the_description() -> None:
    twin = replace(PLANET, entity_id="Q1", description="another planet")
    expected = ["Mercury (first planet from the Sun)", "Mercury (another planet)", "Mercury (deity)"]
    assert names(PLANET, twin, GOD) == expected


def test_equal_or_long_descriptions_get_the_id() -> None:
    twins = [replace(PLANET, entity_id=entity_id) for entity_id in ("Q1", "Q2")]
    assert names(*twins) == ["Mercury (Q1)", "Mercury (Q2)"]
    long = [replace(PLANET, entity_id=entity_id, description=entity_id * 60) for entity_id in ("Q1", "Q2")]
    assert names(*long) == ["Mercury (Q1)", "Mercury (Q2)"]


def test_title_goes_before_the_label_and_behind_an_explicit_name() -> None:
    titled = replace(PLANET, title="Mercury  (planet)")
    assert names(titled, METAL) == ["Mercury (planet)", "Mercury"]
    assert names(replace(titled, name="Hermes"), METAL) == ["Hermes", "Mercury"]
    twins = [replace(titled, entity_id="Q1", entity_type="god"), replace(titled, entity_type="metal")]
    assert names(*twins) == ["Mercury (god)", "Mercury (metal)"]


def test_equal_descriptions_get_the_year() -> None:
    twins = [replace(PLANET, entity_id=f"Q{year}", year=year) for year in (1984, -44)]
    assert names(*twins) == ["Mercury (1984)", "Mercury (44 BC)"]
    same = [replace(PLANET, entity_id=entity_id, year=1984) for entity_id in ("Q1", "Q2")]
    assert names(*same) == ["Mercury (Q1)", "Mercury (Q2)"]


def test_label_gives_way_to_an_explicit_name() -> None:
    assert names(Entity("Q1", "Mercury", "Hermes"), PLANET) == ["Mercury", "Mercury (planet)"]


def test_equal_explicit_names_fall_back_to_labels() -> None:
    assert names(Entity("Q1", "X", "One"), Entity("Q2", "X", "Two")) == ["One", "Two"]


def test_disambiguated_name_never_meets_a_taken_one() -> None:
    squatters = [Entity("Q1", "Mercury (planet)"), Entity("Q2", "Mercury (first planet from the Sun)")]
    last = Entity("Q3", "Mercury (Q308)")
    assert names(*squatters, last, PLANET, METAL)[3] == "Mercury (Q308) (Q308)"


def test_white_space_is_normalised_and_counted() -> None:
    report = unique_names([Entity("Q1", " New \t York\n"), Entity("Q2", "", "a  b"), Entity("Q3", "c")])
    assert [entity.name for entity in report.entities] == ["New York", "a b", "c"]
    assert report.respaced == 2


def test_report_counts_each_rung() -> None:
    report = unique_names([Entity("Q1", "Named"), Entity("Q2", "", "Alone"), PLANET, METAL])
    assert report.rungs == {"name": 1, "title": 0, "label": 1, "type": 2, "description": 0, "year": 0, "id": 0}


def test_label_stays_beside_the_new_name() -> None:
    assert unique_names([PLANET, METAL]).entities[0].label == "Mercury"


@given(
    st.lists(st.tuples(*[st.sampled_from(["", "a", "b", "a (b)", "a (b) (1)", " a"])] * 4), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
@settings(max_examples=150, deadline=None)
def test_names_are_unique_and_independent_of_order(rows: list[tuple[str, str, str, str]], random: object) -> None:
    entities = [Entity(f"{i}", name, label or "a", *rest) for i, (name, label, *rest) in enumerate(rows)]
    first = {entity.entity_id: entity.name for entity in unique_names(entities).entities}
    assert len(set(first.values())) == len(entities)
    random.shuffle(entities)  # type: ignore[attr-defined]
    assert {entity.entity_id: entity.name for entity in unique_names(entities).entities} == first


@pytest.mark.parametrize(
    ("entities", "words"),
    [
        ([], "the catalog has no entities"),
        ([Entity("Q1", " ", "")], "entity 'Q1' has neither a name nor a label"),
        ([PLANET, METAL, PLANET], "1 entity ids occur more than once: Q308"),
        ([Entity("", "x")], "entity 1 of the catalog has no id"),
    ],
)
def test_bad_entities_are_refused(entities: list[Entity], words: str) -> None:
    with pytest.raises(DataError, match=words):
        unique_names(entities)


def catalog() -> Catalog:
    return Catalog.of(unique_names([PLANET, METAL, Entity("Q7", "Sun", aliases=("Sol",), popularity=3.0)]).entities)


def test_lookups_agree() -> None:
    found = catalog()
    assert found.ids == ("Q308", "Q925", "Q7")
    assert found.names == ("Mercury (planet)", "Mercury (chemical element)", "Sun")
    for index, entity_id in enumerate(found.ids):
        assert found.at(index) == found.entity(entity_id) == found.named(found.names[index])
    assert found.entity("Q7") == Entity("Q7", "Sun", aliases=("Sol",), popularity=3.0)
    assert len(found) == 3
    assert "Q7" in found
    assert "Q8" not in found


def test_unknown_entities_are_refused() -> None:
    with pytest.raises(DataError, match="no entity 'Q8' in the catalog of 3 entities"):
        catalog().entity("Q8")
    with pytest.raises(DataError, match="no entity is named 'Moon'"):
        catalog().named("Moon")
    for index in (-1, 3):
        with pytest.raises(DataError, match=f"name index {index} is outside the catalog of 3 entities"):
            catalog().at(index)


def test_equal_names_are_refused() -> None:
    with pytest.raises(DataError, match=r"2 entities share a name with another, e.g. 'x' for \['Q1', 'Q2'\]"):
        Catalog.of([Entity("Q1", "x"), Entity("Q2", "x")])
    with pytest.raises(DataError, match="entity 'Q1' has no name"):
        Catalog.of([Entity("Q1", "")])


def test_unreadable_entity_table_names_the_stage(tmp_path: Path) -> None:
    path = tmp_path / "entities.parquet"
    with pytest.raises(ArtifactError, match="no such file; run `dvc repro posts`"):
        Catalog.read(path)
    path.write_bytes(b"PAR1 no")
    with pytest.raises(ArtifactError, match="not a readable parquet file"):
        Catalog.read(path)
    pl.DataFrame({"entity_id": ["Q1"]}).write_parquet(path)
    with pytest.raises(ArtifactError, match=r"columns \['name', 'label'"):
        Catalog.read(path)
