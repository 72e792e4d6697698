"""Feedback is kept whole by any number of processes, and its last words act."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from forked import forked
from PIL import Image

from bento.feedback import FEEDBACK, FeedbackFull, FeedbackStore, Kept, amended
from gemel.bundle import Bundle
from gemel.changes.corrections import DEMONSTRATIONS, add_corrections, read_corrections, solve
from gemel.core.errors import ImageError, RequestError
from gemel.core.schema import Entity, Post
from gemel.entities.catalog import Catalog
from gemel.posts.requests import read_requests
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA
from gemel.wire import FeedbackRequest

CATALOG = Catalog.of([Entity("Q1", "Jaguar"), Entity("Q2", "Jaguar Cars")])
GIB = 2**30


def picture(grey: int = 90) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (grey, grey, grey)).save(file, "png")
    return file.getvalue()


def words(entity: str | None = "Q2", text: str = "A Jaguar at dusk", **more: Any) -> FeedbackRequest:
    return FeedbackRequest(text=text, mention="Jaguar", entity_id=entity, **more)


def say(store: FeedbackStore, *said: FeedbackRequest, image: bytes | None = None) -> list[Kept]:
    return [store.keep(each, image, "abc", f"r{place}") for place, each in enumerate(said)]


def acting(store: FeedbackStore) -> list[tuple[str, str]]:
    return [(each.text, each.mention.entity) for each in store.acting(CATALOG)]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "feedback", GIB)


def test_facts_for_a_training_are_kept(store: FeedbackStore) -> None:
    ((id_, _),) = [(kept.id, kept.known) for kept in say(store, words(answered="Q1", comment="a car"))]
    (line,) = lines(store.folder / FEEDBACK)
    assert (line["id"], line["answered"], line["comment"], line["release"], line["request_id"]) == (
        id_,
        "Q1",
        "a car",
        "abc",
        "r0",
    )
    assert line["time"].endswith("+00:00")


def test_file_is_taken_as_demonstrations_with_the_same_ids(store: FeedbackStore, tmp_path: Path) -> None:
    kept = say(store, words(), words(text="Jaguar, Jaguar", start=8, end=14), image=picture())
    say(store, words(None, text="No Jaguar"), words("Q1", text="Two of Jaguar"), words(text="Two of Jaguar"))
    posts = list(read_requests(store.folder / DEMONSTRATIONS))
    assert all(isinstance(post, Post) for post in posts)
    added = add_corrections(tmp_path / "changes", solve(posts, CATALOG))  # type: ignore[arg-type]
    assert added.added[:2] == tuple(each.id for each in kept)
    assert [each.mention.entity for each in read_corrections(tmp_path / "changes")] == ["Q2", "Q2", "Q2"]


def test_same_words_twice_are_known_and_change_nothing(store: FeedbackStore) -> None:
    first, second = say(store, words(), words(start=2, end=8, comment="again"))
    assert (first.known, second) == (False, Kept(first.id, True))
    assert len(lines(store.folder / FEEDBACK)) == 1


def test_image_makes_another_correction_and_is_kept_once(store: FeedbackStore) -> None:
    plain, *seen = (*say(store, words()), *say(store, words(), words(text="Another Jaguar"), image=picture()))
    assert len({plain.id, *(each.id for each in seen)}) == 3
    (image,) = (store.folder / "images").iterdir()
    assert image.read_bytes() == picture()
    assert lines(store.folder / FEEDBACK)[1]["image"] == f"images/{image.name}"


def test_last_word_acts_and_all_are_kept(store: FeedbackStore) -> None:
    say(store, words("Q1"), words("Q2", text="Other Jaguar"), words("Q2"))
    assert acting(store) == [("Other Jaguar", "Q2"), ("A Jaguar at dusk", "Q2")]
    assert [line["mentions"][0]["entity"] for line in lines(store.folder / FEEDBACK)] == ["Q1", "Q2", "Q2"]


def test_first_word_said_again_after_a_contradiction_acts_again(store: FeedbackStore) -> None:
    kept = say(store, words("Q1"), words("Q2"), words("Q1"))
    assert (kept[2].id, kept[2].known) == (kept[0].id, True)
    assert acting(store) == [("A Jaguar at dusk", "Q1")]


def test_none_of_the_catalog_is_kept_and_silences_what_was_said_before(store: FeedbackStore) -> None:
    say(store, words("Q1"), words(None))
    assert [line["mentions"][0]["entity"] for line in lines(store.folder / FEEDBACK)] == ["Q1", None]
    assert acting(store) == lines(store.folder / DEMONSTRATIONS) == []


def test_entity_that_the_catalog_lacks_does_not_act(store: FeedbackStore) -> None:
    say(store, words("Q9"), words(text="Other Jaguar"))
    assert acting(store) == [("Other Jaguar", "Q2")]


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (words(text="A lion"), r"the feedback: the mention 'Jaguar' is not in the text"),
        (words(start=3, end=9), r"the feedback: span: 3 to 9 of 16 characters, which holds 'aguar ' and not"),
        (words(entity=" "), r"the feedback: mentions.0.entity: is empty"),
        (words(text="Jaguar \ud800"), r"the feedback: holds a lone surrogate"),
    ],
)
def test_what_can_not_be_used_is_refused(store: FeedbackStore, request_: FeedbackRequest, why: str) -> None:
    with pytest.raises(RequestError, match=why):
        say(store, request_)
    assert not (store.folder / FEEDBACK).exists()


def test_bytes_that_are_no_image_are_refused(store: FeedbackStore) -> None:
    with pytest.raises(ImageError, match="image: not an image of JPEG, PNG"):
        say(store, words(), image=b"no image")


@pytest.mark.parametrize(("less", "fits"), [(0, True), (1, False)])
def test_bound_holds_to_the_byte(tmp_path: Path, less: int, fits: bool) -> None:
    wide = FeedbackStore(tmp_path / "wide", GIB)
    say(wide, words(), image=picture())
    narrow = FeedbackStore(tmp_path / "narrow", size_of(wide.folder) - less)
    if fits:
        say(narrow, words(), image=picture())
    else:
        with pytest.raises(FeedbackFull, match=r"no room for more feedback: 0 of \d+ bytes .*raises max_feedback"):
            say(narrow, words(), image=picture())
        assert size_of(narrow.folder) == 0


def test_full_store_still_knows_what_it_has(tmp_path: Path) -> None:
    say(FeedbackStore(tmp_path, GIB), words())
    assert say(FeedbackStore(tmp_path, 1), words())[0].known


def test_file_cut_at_every_byte_of_its_last_line_is_read_and_mended(store: FeedbackStore) -> None:
    say(store, words(), words(text="Other Jaguar"))
    path, demonstrations = store.folder / FEEDBACK, store.folder / DEMONSTRATIONS
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        path.write_bytes(whole[:end])
        after = FeedbackStore(store.folder, GIB)
        assert acting(after) == [("A Jaguar at dusk", "Q2")]
        assert say(after, words(text="Third Jaguar"))[0].known is False
        assert [line["text"] for line in lines(path)] == ["A Jaguar at dusk", "Third Jaguar"]
        assert demonstrations.read_bytes() == path.read_bytes()


def test_line_that_was_cut_off_is_told(store: FeedbackStore, caplog: pytest.LogCaptureFixture) -> None:
    say(store, words())
    with (store.folder / FEEDBACK).open("ab") as file:
        file.write(b'{"id": "c1')
    caplog.set_level("WARNING", "gemel.service")
    assert len(acting(store)) == len(acting(store)) == 1
    assert [record.message for record in caplog.records] == ["feedback whose writing was cut off is left out"]


@pytest.mark.parametrize("left", [b"", b'{"id": "half', b"{}\n"])
def test_demonstrations_that_a_kill_left_behind_are_mended_at_the_start(store: FeedbackStore, left: bytes) -> None:
    say(store, words(), words("Q1"))
    whole = (store.folder / DEMONSTRATIONS).read_bytes()
    (store.folder / DEMONSTRATIONS).write_bytes(left)
    FeedbackStore(store.folder, GIB)
    assert (store.folder / DEMONSTRATIONS).read_bytes() == whole


def test_damaged_line_does_not_keep_the_others_from_acting(
    store: FeedbackStore, caplog: pytest.LogCaptureFixture
) -> None:
    say(store, words())
    with (store.folder / FEEDBACK).open("ab") as file:
        file.write(b"{}\n")
    say(store, words(text="Other Jaguar"))
    caplog.set_level("WARNING", "gemel.service")
    assert [text for text, _ in acting(FeedbackStore(store.folder, GIB))] == ["A Jaguar at dusk", "Other Jaguar"]
    assert "feedback that can't be used is left out" in caplog.text


def test_folder_that_was_moved_away_begins_anew(store: FeedbackStore, tmp_path: Path) -> None:
    say(store, words())
    store.folder.rename(tmp_path / "taken")
    assert say(store, words(text="Other Jaguar"))[0].known is False
    assert acting(store) == [("Other Jaguar", "Q2")]


def test_store_knows_what_another_kept(store: FeedbackStore) -> None:
    other = FeedbackStore(store.folder, GIB)
    say(store, words("Q1"))
    assert say(other, words("Q1"))[0].known
    say(other, words("Q2"))
    assert acting(store) == [("A Jaguar at dusk", "Q2")]


def keep_some(folder: Path, name: str) -> None:
    own = FeedbackStore(folder, GIB)
    say(own, *(words("Q1" if name == "a" else "Q2", text=f"Jaguar {i // 2 * 2}{name * (i % 2)}") for i in range(40)))


def test_two_processes_lose_and_tear_nothing(store: FeedbackStore) -> None:
    processes = [forked(keep_some, store.folder, name) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(lines(store.folder / FEEDBACK)) == 80
    found = acting(store)
    # Twenty texts that both spoke of, by one last word each, and twenty of each alone.
    assert len(found) == len({text for text, _ in found}) == 60
    assert [(row["text"], row["mentions"][0]["entity"]) for row in lines(store.folder / DEMONSTRATIONS)] == found


def greys(pictures: Sequence[Image.Image]) -> list[np.ndarray]:
    return [np.full(2, float(each.getpixel((0, 0))[0]), np.float32) for each in pictures]  # type: ignore[index]


def refuses(_: Sequence[Image.Image]) -> list[np.ndarray]:
    raise AssertionError("an image was encoded again")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    row = ("m1", "Jaguar", "A Jaguar", "Q1", "Jaguar", None, None)
    base = pl.DataFrame([row], schema=CORPUS_SCHEMA, orient="row")
    return Bundle(None, "", tmp_path, CATALOG, None, base, {})  # type: ignore[arg-type]


def test_bundle_begins_with_feedback_and_has_the_vectors_of_its_images(store: FeedbackStore, bundle: Bundle) -> None:
    say(store, words(), image=picture(7))
    found = amended(bundle, store, greys)
    assert found.demonstrations["text"].to_list() == ["A Jaguar at dusk", "A Jaguar"]
    (vector,) = found.vectors.values()
    assert found.demonstrations["image_sha256"][0] in found.vectors
    assert vector.tolist() == [7.0, 7.0]


def test_image_is_encoded_once(store: FeedbackStore, bundle: Bundle) -> None:
    say(store, words(), image=picture())
    first = amended(bundle, store, greys)
    assert amended(bundle, store, refuses).vectors.keys() == first.vectors.keys()
    assert amended(first, FeedbackStore(store.folder, GIB), refuses).vectors.keys() == first.vectors.keys()


def test_feedback_whose_image_is_gone_or_changed_is_left_out_and_told(
    store: FeedbackStore, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    say(store, words(), image=picture(1))
    say(store, words(), image=picture(2))
    one, other = (store.folder / "images").iterdir()
    one.unlink()
    other.write_bytes(picture(3))
    caplog.set_level("WARNING", "gemel.service")
    assert amended(bundle, store, greys).demonstrations.equals(bundle.demonstrations)
    assert len(caplog.records) == 2


def test_bundle_without_feedback_is_the_same(store: FeedbackStore, bundle: Bundle) -> None:
    found = amended(bundle, store, refuses)
    assert found.demonstrations.equals(bundle.demonstrations)
    assert found.vectors == {}
