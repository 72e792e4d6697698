"""Image vectors of the GEMEL reference's HDF5 file: what is taken over, what is refused, and what a data set keeps."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import polars as pl
import pytest
from PIL import Image
from source_files import contents

from gemel.core.errors import DataError
from gemel.posts.dataset import RawDataset, read_dataset
from gemel.posts.gemel_jsonl import import_gemel_jsonl
from gemel.posts.image_vectors import FACT, INDEX, VECTORS, ImageVectors
from gemel.posts.importing import ImportReport
from gemel.posts.vector_file import VectorFile, opened_vectors

ENCODER = "ViT-L-14/openai"
URL = "https://upload.wikimedia.org/wikipedia/commons/4/4f/24hrMcDonaldsMooloolaba.JPG"
A, B = np.array([1, 2, 3], np.float32), np.array([4, 5, 6], np.float32)


def write(path: Path, **vectors: Any) -> Path:
    with h5py.File(path, "w") as file:
        for key, vector in vectors.items():
            file.create_dataset(key, data=vector)
    return path


def line(sent_id: int, **image: str) -> dict[str, Any]:
    names = {"mention": "A", "text": "A b", "target": "A", "golden": "A", "qid": "Q1"}
    return names | {"sent_id": sent_id} | image


def take_over(folder: Path, vectors: Path, *lines: dict[str, Any], images: Path | None = None) -> ImportReport:
    (folder / "train.json").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return import_gemel_jsonl(folder / "train.json", folder / "data", images, VectorFile(vectors, ENCODER))


def read(folder: Path) -> RawDataset:
    return read_dataset(folder / "data", vectors=ImageVectors(folder / "data").of_images)


def test_vectors_are_found_by_the_image_s_name(tmp_path: Path) -> None:
    vectors = write(tmp_path / "v.hdf5", **{"a.jpg": A, "b.jpg": B, "unused.jpg": A})
    report = take_over(tmp_path, vectors, line(1, img_name="b.jpg"), line(2, img_name="a.jpg"), line(3, img_name="c"))
    assert report.notes == {"nil_mentions": 0, "vectors_found": 2, "vectors_absent": 1, "vectors_rejected": 0}
    taken = ImageVectors(tmp_path / "data")
    assert (taken.encoder, taken.width) == (ENCODER, 3)
    rows = dict(zip(taken.rows(), np.load(tmp_path / "data" / VECTORS), strict=True))
    np.testing.assert_array_equal(rows[taken.of_images["images/a.jpg"]], A)
    np.testing.assert_array_equal(rows[taken.of_images["images/b.jpg"]], B)
    assert pl.read_parquet(tmp_path / "data" / INDEX)["reason"].to_list() == [None, None, "not in the file"]


def test_vectors_are_found_by_a_url_with_slashes(tmp_path: Path) -> None:
    assert take_over(tmp_path, write(tmp_path / "v.hdf5", **{URL: A}), line(1, img_url=URL)).notes["vectors_found"] == 1


def test_posts_with_a_vector_are_readable_without_a_file(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "b.jpg")
    vectors = write(tmp_path / "v.hdf5", **{"a.jpg": A})
    lines = [line(number, img_name=name) for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg"))]
    take_over(tmp_path, vectors, *lines, line(9), images=tmp_path)
    posts = read(tmp_path).posts
    assert posts["image_status"].to_list() == ["vector", "read", "missing", "none"]
    assert posts["image_sha256"][0] == hashlib.sha256(A.tobytes()).hexdigest()


def test_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    vectors = write(tmp_path / "v.hdf5", **{"a.jpg": A, "b.jpg": B})
    take_over(tmp_path, vectors, line(1, img_name="b.jpg"), line(2, img_name="a.jpg"))
    first = contents(tmp_path / "data")
    take_over(tmp_path, vectors, line(1, img_name="b.jpg"), line(2, img_name="a.jpg"))
    assert contents(tmp_path / "data") == first


def test_images_with_one_vector_share_it(tmp_path: Path) -> None:
    take_over(
        tmp_path,
        write(tmp_path / "v.hdf5", **{"a.jpg": A, "b.jpg": A}),
        line(1, img_name="a.jpg"),
        line(2, img_name="b.jpg"),
    )
    taken = ImageVectors(tmp_path / "data")
    assert (len(set(taken.rows())), len(taken.of_images)) == (1, 2)


@pytest.mark.parametrize("form", [A.astype("float16"), A.astype(">f8"), A[None], A[None, None]], ids=str)
def test_other_forms_of_the_same_numbers_give_the_same_vector(tmp_path: Path, form: Any) -> None:
    with opened_vectors(write(tmp_path / "v.hdf5", a=form)) as vectors:
        vector = vectors.get("a")
    assert vector is not None
    assert (vector.dtype, vector.tolist()) == (np.dtype("<f4"), [1, 2, 3])


def hostile(folder: Path) -> Path:
    """A file whose keys say what is wrong with what stands there; a good one beside it has `other`."""
    write(folder / "other.hdf5", other=A)
    bad = {"matrix": np.zeros((2, 3), np.float32), "scalar": np.float32(1), "empty": np.zeros(0, np.float32)}
    bad |= {"whole": np.array([1, 2, 3]), "text": "words", "nan": np.array([1, np.nan, 2], np.float32)}
    bad |= {"large": np.array([1e300, 1, 1]), "good": A, "group/inner": A, "broad": np.zeros(2**16 + 1, np.float32)}
    path = write(folder / "hostile.hdf5", **bad)
    with h5py.File(path, "a") as file:
        file["external"] = h5py.ExternalLink("other.hdf5", "other")
        file["away"] = h5py.ExternalLink("other.hdf5", "/")
        file["soft"] = h5py.SoftLink("/good")
        file["null"] = h5py.Empty("f4")
        file["type"] = np.dtype("f4")
        layout = h5py.VirtualLayout((3,), "f4")
        layout[:] = h5py.VirtualSource("other.hdf5", "other", (3,))
        file.create_virtual_dataset("virtual", layout)
        (folder / "raw").write_bytes(A.tobytes())
        file.create_dataset("outside", (3,), "f4", external=[("raw", 0, 12)])
        file.create_dataset("parts", (3,), "f4", chunks=(2**20,), maxshape=(None,))
    return path


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("matrix", r"shape \(2, 3\) instead of one vector"),
        ("scalar", r"shape \(\) instead of one vector"),
        ("empty", r"shape \(0,\) instead of one vector"),
        ("null", "shape None instead of one vector"),
        ("broad", r"shape \(65537,\) instead of one vector of at most 65536 numbers"),
        ("whole", "int64 instead of floating-point numbers"),
        ("text", "object instead of floating-point numbers"),
        ("nan", "not all of its numbers are finite"),
        ("large", "not all of its numbers are finite"),
        ("group", "a group instead of a vector"),
        ("type", "a datatype instead of a vector"),
        ("external", "a link at 'external' instead of a vector"),
        ("away/other", "a link at 'away' instead of a vector"),
        ("soft", "a link at 'soft' instead of a vector"),
        ("virtual", "its numbers lie in another file"),
        ("outside", "its numbers lie in another file"),
        ("parts", r"packed in parts of \(1048576,\), more than 65536 numbers"),
    ],
)
def test_what_is_no_vector_is_refused_with_its_reason(tmp_path: Path, key: str, words: str) -> None:
    with opened_vectors(hostile(tmp_path)) as vectors, pytest.raises(ValueError, match=words):
        vectors.get(key)


@pytest.mark.parametrize("key", ["no", "good/deeper", "group/no", "a\0b", "é"])
def test_key_that_is_not_there_has_no_vector(tmp_path: Path, key: str) -> None:
    with opened_vectors(hostile(tmp_path)) as vectors:
        assert vectors.get(key) is None


def test_damaged_numbers_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.hdf5", "w") as file:
        file.create_dataset("a", data=np.arange(2_000, dtype="f4"), chunks=(2_000,), fletcher32=True)
    content = (tmp_path / "v.hdf5").read_bytes()
    place = content.index(np.arange(100, 110, dtype="f4").tobytes())
    (tmp_path / "v.hdf5").write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    with opened_vectors(tmp_path / "v.hdf5") as vectors, pytest.raises(ValueError, match="damaged"):
        vectors.get("a")


def test_rejected_vectors_are_counted_and_keep_their_reason(tmp_path: Path) -> None:
    vectors = write(tmp_path / "v.hdf5", **{"a.jpg": A, "b.jpg": np.ones(4, np.float32), "c.jpg": A * np.nan})
    lines = [line(number, img_name=name) for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg"))]
    assert take_over(tmp_path, vectors, *lines).notes["vectors_rejected"] == 2
    reasons = pl.read_parquet(tmp_path / "data" / INDEX)["reason"].to_list()
    assert reasons == [None, "4 numbers, but the vectors before have 3", "not all of its numbers are finite"]


def test_file_without_any_wanted_vector_is_refused(tmp_path: Path) -> None:
    words = r"v\.hdf5: it has no usable vector of any of the 1 images, e\.g\. 'images/b\.jpg': not in the file"
    with pytest.raises(DataError, match=words):
        take_over(tmp_path, write(tmp_path / "v.hdf5", a=A), line(1, img_name="b.jpg"))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("size", "words"), [(None, "no such file"), (0, "can't be read as HDF5"), (900, "complete")])
def test_missing_and_truncated_files_are_refused(tmp_path: Path, size: int | None, words: str) -> None:
    path = write(tmp_path / "v.hdf5", a=A)
    if size is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=words), opened_vectors(path):
        pass


def test_without_h5py_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"pip install 'gemel\[hdf5\]'"), opened_vectors(tmp_path / "v.hdf5"):
        pass


def test_data_set_without_vectors_has_none(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"format": 1}')
    assert (bool(ImageVectors(tmp_path)), ImageVectors(tmp_path).of_images) == (False, {})


@pytest.mark.parametrize("name", [VECTORS, INDEX])
@pytest.mark.parametrize("change", ["gone", "cut"])
def test_vectors_of_a_data_set_that_are_not_whole_are_refused(tmp_path: Path, name: str, change: str) -> None:
    take_over(tmp_path, write(tmp_path / "v.hdf5", **{"a.jpg": A}), line(1, img_name="a.jpg"))
    path = tmp_path / "data" / name
    content = path.read_bytes()
    path.unlink()
    if change == "cut":
        path.write_bytes(content[:-4])
    with pytest.raises(DataError, match="import the data set again"):
        ImageVectors(tmp_path / "data")


def test_facts_without_the_encoder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"format": 1, FACT: {"width": 3, "found": 1}}))
    with pytest.raises(DataError, match=r"unreadable \('encoder'\); import the data set again"):
        ImageVectors(tmp_path)


def test_flipped_number_is_found_when_it_is_used(tmp_path: Path) -> None:
    take_over(tmp_path, write(tmp_path / "v.hdf5", **{"a.jpg": A}), line(1, img_name="a.jpg"))
    path = tmp_path / "data" / VECTORS
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    taken = ImageVectors(tmp_path / "data")
    with pytest.raises(DataError, match=r"image_vectors\.npy: not the vectors that image_vectors\.parquet and"):
        taken.rows()


def test_facts_say_where_the_vectors_came_from(tmp_path: Path) -> None:
    take_over(tmp_path, write(tmp_path / "v.hdf5", **{"a.jpg": A}), line(1, img_name="a.jpg"))
    facts = json.loads((tmp_path / "data" / "dataset.json").read_text())[FACT]
    assert facts == {"source": "v.hdf5", "encoder": ENCODER, "width": 3, "found": 1, "absent": 0, "rejected": 0}


def test_golden_nil_is_no_entity(tmp_path: Path) -> None:
    vectors = write(tmp_path / "v.hdf5", **{"a.jpg": A})
    lines = line(1, img_name="a.jpg"), line(2, img_name="a.jpg") | {"golden": "NIL", "qid": "Q9"}
    assert take_over(tmp_path, vectors, *lines).notes["nil_mentions"] == 1
    assert read(tmp_path).mentions["entity_id"].to_list() == ["Q1", None]


def test_image_name_can_not_lead_out_of_the_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="img_name: leaves the folder of images"):
        take_over(tmp_path, write(tmp_path / "v.hdf5", a=A), line(1, img_name="../a.jpg"))
