"""The demonstrations with the corrections before them, and the vectors of the corrections' images."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import polars as pl
import pytest
from tiny_world import VISION_WIDTH, write_picture

from gemel.changes.corrected import corrected_corpus, correction_vectors, expect_encoder
from gemel.changes.corrections import Correction, add_corrections, read_corrections, solve
from gemel.core.artifacts import file_sha256
from gemel.core.errors import ArtifactError, DataError
from gemel.core.images import read_image
from gemel.core.schema import Entity, Mention, Post
from gemel.core.settings import BackboneSettings
from gemel.entities.catalog import Catalog
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.retrieval.choice import Chooser
from gemel.retrieval.scorers import make_scorer
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA, corpus_of

CATALOG = Catalog.of([Entity("Q1", "Jaguar"), Entity("Q2", "Jaguar Cars"), Entity("Q3", "Mercury")])
BASE = pl.DataFrame(
    [
        ("m1", "Jaguar", "A Jaguar", "Q1", "Jaguar", "f" * 64, "an animal"),
        ("m2", "Jaguar", "That Jaguar", "Q1", "Jaguar", None, None),
        ("m3", "Mercury", "The Mercury", "Q3", "Mercury", None, None),
    ],
    schema=CORPUS_SCHEMA,
    orient="row",
)


def corrections(folder: Path, *posts: tuple[str, str], image: Path | None = None) -> tuple[Correction, ...]:
    """Corrections of Jaguar in a text, to an entity."""
    solved = [Post(text, (Mention("Jaguar", entity_id=entity),), image) for text, entity in posts]
    add_corrections(folder, solve(solved, CATALOG))
    return read_corrections(folder)


def loads_nothing() -> NoReturn:
    raise AssertionError("the encoder was loaded")


@pytest.fixture(scope="module")
def encoder(tiny_backbones: BackboneSettings) -> VisionEncoder:
    return load_encoder(tiny_backbones.vision.model)


@pytest.fixture
def load(encoder: VisionEncoder) -> Callable[[], VisionEncoder]:
    return lambda: encoder


def test_corrections_go_before_their_mention_the_latest_first(tmp_path: Path) -> None:
    found = corrected_corpus(BASE, corrections(tmp_path, ("Old Jaguar", "Q2"), ("New Jaguar", "Q2")), CATALOG)
    assert found.table["text"].to_list() == ["New Jaguar", "Old Jaguar", *BASE["text"]]
    assert found.table["name"].to_list()[:2] == ["Jaguar Cars", "Jaguar Cars"]
    assert found.table.schema == pl.Schema(CORPUS_SCHEMA)


def test_correction_is_shown_first_for_its_mention(tmp_path: Path) -> None:
    corpus = corpus_of(corrected_corpus(BASE, corrections(tmp_path, ("New Jaguar", "Q2")), CATALOG).table)
    chooser = Chooser(corpus, make_scorer("bm25", corpus.mentions, seed=0, encoder="", device="cpu"), 2)
    assert chooser.choose("Jaguar", "Some Jaguar") == (0, 1)
    assert chooser.choose("Mercury", "Some Mercury")[0] == 3


def test_solved_mention_gives_way_to_its_correction(tmp_path: Path) -> None:
    found = corrected_corpus(BASE, corrections(tmp_path, ("That Jaguar", "Q2"), ("A Jaguar", "Q2")), CATALOG)
    # "A Jaguar" has an image in the data set and none here: another post.
    assert found.table["mention_id"].to_list()[2:] == ["m1", "m3"]


def test_rows_before_the_first_of_the_mention_stay_where_they_are(tmp_path: Path) -> None:
    base = BASE.with_columns(mention=pl.Series(["Mercury", "JAGUAR", "Jaguar"]))
    found = corrected_corpus(base, corrections(tmp_path, ("New Jaguar", "Q2")), CATALOG)
    assert found.table["text"].to_list() == [base["text"][0], "New Jaguar", *base["text"][1:]]


def test_correction_of_a_new_mention_goes_behind_all(tmp_path: Path) -> None:
    base = BASE.filter(pl.col("mention") == "Mercury")
    found = corrected_corpus(base, corrections(tmp_path, ("New Jaguar", "Q2")), CATALOG)
    assert found.table["text"].to_list() == ["The Mercury", "New Jaguar"]


def test_correction_to_an_entity_that_is_gone_is_dropped(tmp_path: Path) -> None:
    made = corrections(tmp_path, ("New Jaguar", "Q2"), ("Old Jaguar", "Q1"))
    found = corrected_corpus(BASE, made, Catalog.of([Entity("Q1", "Jaguar"), Entity("Q3", "Mercury")]))
    assert (found.shown, found.dropped) == (made[1:], made[:1])
    assert "Q2" not in found.table["entity_id"].to_list()


def test_correction_to_a_merged_entity_shows_the_living_one(tmp_path: Path) -> None:
    made = corrections(tmp_path, ("New Jaguar", "Q2"))
    merged = Catalog(Catalog.of([Entity("Q1", "Jaguar"), Entity("Q3", "Mercury")]).table, {"Q2": "Q1"})
    first = corrected_corpus(BASE, made, merged).table.row(0, named=True)
    assert (first["text"], first["entity_id"], first["name"]) == ("New Jaguar", "Q1", "Jaguar")


def test_without_corrections_the_demonstrations_are_the_same() -> None:
    assert corrected_corpus(BASE, (), CATALOG).table.equals(BASE)


def test_known_vector_is_taken_without_an_encoder(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    made = corrections(tmp_path, ("New Jaguar", "Q2"), image=picture)
    known = {file_sha256(picture): np.ones(VISION_WIDTH, np.float32)}
    found = correction_vectors(made, tmp_path, known, tmp_path / "parts", loads_nothing)
    assert found.keys() == known.keys()
    assert not (tmp_path / "parts").exists()


def test_new_image_is_encoded_once(tmp_path: Path, load: Callable[[], VisionEncoder]) -> None:
    picture = write_picture(tmp_path / "a.png")
    made = corrections(tmp_path, ("New Jaguar", "Q2"), image=picture)
    first = correction_vectors(made, tmp_path, {}, tmp_path / "parts", load)
    second = correction_vectors(made, tmp_path, {}, tmp_path / "parts", loads_nothing)
    (expected,) = load().encode([read_image(picture)])
    assert np.array_equal(first[file_sha256(picture)], expected)
    assert np.array_equal(second[file_sha256(picture)], expected)


def test_changed_image_is_refused(tmp_path: Path, load: Callable[[], VisionEncoder]) -> None:
    (made,) = corrections(tmp_path, ("New Jaguar", "Q2"), image=write_picture(tmp_path / "a.png"))
    write_picture(tmp_path / str(made.image), colour=(1, 2, 3))
    with pytest.raises(DataError, match=r"images/\w{64}.png: its SHA-256 is \w{64}, not its name; run `dvc checkout"):
        correction_vectors([made], tmp_path, {}, tmp_path / "parts", load)


def test_another_encoder_is_refused(encoder: VisionEncoder) -> None:
    assert expect_encoder(encoder, encoder.fingerprint) is encoder
    with pytest.raises(ArtifactError, match=r"image_features: made by encoder ffffffffffff, but .*; run `dvc repro`"):
        expect_encoder(encoder, "f" * 64)
