"""Corrections: what is kept of them, what is refused, and that they go as they came."""

import dataclasses
import json
from pathlib import Path

import pytest
from tiny_world import WHO, write_picture

from gemel.changes.corrections import (
    DEMONSTRATIONS,
    IMAGES,
    NewCorrection,
    add_corrections,
    read_corrections,
    remove_corrections,
    solve,
)
from gemel.core.artifacts import file_sha256
from gemel.core.errors import DataError, ImageError, RequestError
from gemel.core.schema import Entity, Mention, Post
from gemel.entities.catalog import Catalog
from gemel.posts.dataset import read_dataset

CATALOG = Catalog.of([Entity(id_, f"{label} ({kind})", entity_type=kind) for id_, label, kind, *_ in WHO])
POST = Post("A Jaguar at dusk", (Mention("Jaguar", entity_id="Q30055"),))


def solved(text: str = POST.text, mention: str = "Jaguar", entity: str | None = "Q30055", **more: object) -> Post:
    return Post(text, (Mention(mention, entity_id=entity, **more),))  # type: ignore[arg-type]


def added(folder: Path, *posts: Post) -> tuple[str, ...]:
    return add_corrections(folder, solve(posts, CATALOG)).added


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_correction_has_the_form_of_a_post(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.PNG")
    (id_,) = added(tmp_path, dataclasses.replace(POST, image=picture))
    (row,) = map(json.loads, (tmp_path / DEMONSTRATIONS).read_text().splitlines())
    image = f"{IMAGES}/{file_sha256(picture)}.png"
    mention = {"id": id_, "mention": "Jaguar", "entity": "Q30055", "start": 2, "end": 8}
    assert row == {"id": id_, "text": POST.text, "image": image, "split": "train", "mentions": [mention]}
    assert (tmp_path / image).read_bytes() == picture.read_bytes()


def test_corrections_can_join_a_data_set(tmp_path: Path, tiny_dataset: Path) -> None:
    added(tmp_path, POST)
    (tmp_path / "posts.jsonl").write_bytes((tmp_path / DEMONSTRATIONS).read_bytes())
    for name in ("entities.jsonl", "dataset.json"):
        (tmp_path / name).write_bytes((tiny_dataset / name).read_bytes())
    dataset = read_dataset(tmp_path)
    assert dataset.mentions["entity_id"].to_list() == ["Q30055"]
    assert dataset.rejected.is_empty()


def test_same_correction_twice_changes_nothing(tmp_path: Path) -> None:
    first = add_corrections(tmp_path, solve([POST], CATALOG))
    before = bytes_of(tmp_path)
    second = add_corrections(tmp_path, solve([POST, solved(start=2, end=8)], CATALOG))
    assert (second.added, second.known) == ((), first.added)
    assert bytes_of(tmp_path) == before


def test_id_follows_from_the_image_too(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    copy = tmp_path / "b.jpeg"
    copy.write_bytes(picture.read_bytes())
    ids = [solve([dataclasses.replace(POST, image=image)], CATALOG)[0].correction.id for image in (None, picture, copy)]
    assert ids[0] != ids[1] == ids[2]


def test_removal_gives_the_bytes_from_before(tmp_path: Path) -> None:
    picture = write_picture(tmp_path.parent / "a.png")
    added(tmp_path, solved("The Jaguar slept"))
    before = bytes_of(tmp_path)
    ids = added(tmp_path, POST, dataclasses.replace(POST, image=picture))
    assert len(bytes_of(tmp_path)) == 2
    remove_corrections(tmp_path, ids)
    assert bytes_of(tmp_path) == before


def test_removal_of_the_last_leaves_nothing(tmp_path: Path) -> None:
    ids = added(tmp_path, dataclasses.replace(POST, image=write_picture(tmp_path.parent / "b.png")))
    remove_corrections(tmp_path, ids)
    assert list(tmp_path.iterdir()) == []


def test_image_stays_while_another_correction_shows_it(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    one, _ = added(tmp_path, *(dataclasses.replace(solved(text), image=picture) for text in ("Jaguar", "Jaguar two")))
    remove_corrections(tmp_path, [one])
    (left,) = read_corrections(tmp_path)
    assert left.image is not None
    assert (tmp_path / left.image).is_file()


@pytest.mark.parametrize(
    ("post", "words"),
    [
        (
            solved(entity="Q30054"),
            r"no entity 'Q30054' in the catalog of 5; nearest are Q30055 \(Jaguar \(car maker\)\)",
        ),
        (solved(entity="mercury"), r"nearest are Q35694 .*Q308 \(Mercury \(planet\)\)"),
        (solved(entity=None), r"the mention 'Jaguar' has no entity, and nothing can be shown for it"),
        (
            solved(mention="Lion"),
            r"the correction: the mention 'Lion' is not in the text; give it as it is written there",
        ),
        (solved(start=3, end=9), r"span: 3 to 9 of 16 characters, which holds 'aguar ' and not the mention 'Jaguar'"),
        (solved(text=" "), r"the correction: text: is empty"),
        (solved(mention=""), r"mention: is empty"),
        (solved(text="Jaguar\0"), r"text: holds a NUL character \(U\+0000\); remove it"),
        (solved(text="Jaguar \ud800"), r"the correction: holds a lone surrogate"),
        (dataclasses.replace(POST, post_id="p7", mentions=(Mention("Lion", entity_id="Q308"),)), r"post 'p7': the men"),
    ],
)
def test_bad_correction_is_refused(post: Post, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        solve([post], CATALOG)


def test_unreadable_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(
        ImageError, match=r"a.png: not an image of JPEG, PNG, .*\(8 bytes, beginning with b'no image'\)"
    ):
        solve([dataclasses.replace(POST, image=tmp_path / "a.png")], CATALOG)


def test_contradiction_is_refused_and_nothing_is_kept_of_it(tmp_path: Path) -> None:
    (id_,) = added(tmp_path, POST)
    before = bytes_of(tmp_path)
    words = rf"'A Jaguar at dusk' is to be Q35694, but by {id_} it is Q30055; run `gemel demonstrations remove {id_}`"
    with pytest.raises(RequestError, match=words):
        added(tmp_path, solved("Another Jaguar"), solved(entity="Q35694"))
    assert bytes_of(tmp_path) == before


def test_unknown_id_is_refused(tmp_path: Path) -> None:
    (id_,) = added(tmp_path, POST)
    with pytest.raises(RequestError, match=rf"no correction 'c12' \(nearest: {id_}\); `gemel demonstrations list`"):
        remove_corrections(tmp_path, ["c12"])
    remove_corrections(tmp_path, [id_])
    with pytest.raises(RequestError, match=r"no correction 'c12' \(there is none\); .* shows all 0"):
        remove_corrections(tmp_path, ["c12"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", r"line 2: row: Invalid JSON.*; mend that line, or .* `dvc checkout data.dvc`"),
        (
            '{"id": "c1", "text": "a b", "split": "train", "mentions": []}',
            r"line 2: mentions: List should have at least 1",
        ),
        (
            '{"id": "c1", "text": "a b", "split": "train", "mentions": [{"id": "c1", "mention": "b", "entity": null}]}',
            r"line 2: mentions.0.entity: .*, found null",
        ),
        (
            '{"id": "c1", "text": "a b", "split": "train", "mentions": [{"id": "c1", "mention": "c", "entity": "Q1"}]}',
            r"line 2: row: the mention 'c' is not in the text",
        ),
    ],
)
def test_damaged_file_names_its_line(tmp_path: Path, line: str, words: str) -> None:
    added(tmp_path, POST)
    with (tmp_path / DEMONSTRATIONS).open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=rf"{DEMONSTRATIONS} {words}"):
        read_corrections(tmp_path)


def test_line_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (id_,) = added(tmp_path, POST)
    path = tmp_path / DEMONSTRATIONS
    path.write_text(2 * path.read_text())
    with pytest.raises(DataError, match=rf"line 2: duplicate id '{id_}', first on line 1; mend that line"):
        read_corrections(tmp_path)


def test_missing_image_is_named(tmp_path: Path) -> None:
    added(tmp_path, dataclasses.replace(POST, image=write_picture(tmp_path / "a.png")))
    next((tmp_path / IMAGES).iterdir()).unlink()
    with pytest.raises(DataError, match=r"images/\w{64}.png: no such file, but .*jsonl names it; run `dvc checkout"):
        read_corrections(tmp_path)


def test_new_correction_holds_the_images_bytes(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    (new,) = solve([dataclasses.replace(POST, image=picture)], CATALOG)
    assert isinstance(new, NewCorrection)
    assert new.picture == picture.read_bytes()
