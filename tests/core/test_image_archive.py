"""Images of an archive are read as they were recorded, and where there is no archive from the data set's folder."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import fsspec
import polars as pl
import pytest
from archives import empty_store

from gemel.core.errors import ConfigError, DataError, ImageError, ImageNotFoundError
from gemel.core.image_archive import RECORD, RECORD_SCHEMA, open_images, write_record
from gemel.core.image_files import ImageFolder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """An archive of two pictures, recorded in the folder `data` beside it together with a missing one."""
    photos, data = tmp_path / "photos", tmp_path / "data"
    data.mkdir()
    photos.mkdir()
    rows: list[tuple[object, ...]] = [("no.jpg", None, None, None, "no such file")]
    for name in ("b.jpg", "a.jpg"):
        (photos / name).write_bytes(name.encode())
        rows.append((name, "1", 5, hashlib.sha256(name.encode()).hexdigest(), None))
    rows.append(("big.jpg", None, None, None, "99 bytes, more than the 50 allowed"))
    write_record(data / RECORD, rows)
    return photos


def test_images_lie_in_the_folder_unless_a_root_is_given(tmp_path: Path) -> None:
    assert open_images(tmp_path, None) == ImageFolder(tmp_path)


def test_recorded_images_are_read(photos: Path) -> None:
    files = open_images(photos.with_name("data"), str(photos))
    assert [files.read(name) for name in ("a.jpg", "b.jpg")] == [b"a.jpg", b"b.jpg"]
    assert files.where("a.jpg") == str(photos / "a.jpg")


def test_worker_processes_read_too(photos: Path) -> None:
    files = open_images(photos.with_name("data"), str(photos))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        assert workers.submit(files.read, "a.jpg").result() == b"a.jpg"


def test_changed_image_is_an_error_that_names_the_command(photos: Path) -> None:
    (photos / "a.jpg").write_bytes(b"other")
    files = open_images(photos.with_name("data"), str(photos))
    with pytest.raises(ImageError, match=r"a\.jpg: its SHA-256 is not .*; run `gemel import images --into .*data`"):
        files.read("a.jpg")


def test_image_that_is_gone_is_missing(photos: Path) -> None:
    (photos / "a.jpg").unlink()
    with pytest.raises(ImageNotFoundError, match="no such file"):
        open_images(photos.with_name("data"), str(photos)).read("a.jpg")


def test_lost_access_stops_everything(photos: Path) -> None:
    store = empty_store()
    fsspec.filesystem("store").pipe("store://photos/a.jpg", b"a.jpg")
    files = open_images(photos.with_name("data"), "store://photos")
    store.failing = PermissionError("ExpiredToken"), None
    with pytest.raises(DataError, match=r"ExpiredToken\); it could be read before: check the access") as caught:
        files.read("a.jpg")
    assert not isinstance(caught.value, ImageError)


def test_image_recorded_as_missing_stays_missing(photos: Path) -> None:
    (photos / "no.jpg").write_bytes(b"came later")
    with pytest.raises(ImageNotFoundError, match=r"no\.jpg: no such file"):
        open_images(photos.with_name("data"), str(photos)).read("no.jpg")


def test_recorded_reason_is_given_again(photos: Path) -> None:
    with pytest.raises(ImageError, match=r"big\.jpg: 99 bytes, more than") as caught:
        open_images(photos.with_name("data"), str(photos)).read("big.jpg")
    assert not isinstance(caught.value, ImageNotFoundError)


@pytest.mark.parametrize("name", ["aa.jpg", "z.jpg", "../data/images.parquet"])
def test_name_that_was_never_recorded_stops_everything(photos: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"images\.parquet: .* is not in it, .*run `gemel import images") as caught:
        open_images(photos.with_name("data"), str(photos)).read(name)
    assert not isinstance(caught.value, ImageError)


def test_record_without_a_root_is_refused(photos: Path) -> None:
    with pytest.raises(ConfigError, match=r"images\.parquet: .* but images\.root is null; say where with `-S images"):
        open_images(photos.with_name("data"), None)


def test_root_without_a_record_names_the_command(photos: Path) -> None:
    with pytest.raises(DataError, match=r"images\.parquet: no such file; write it with `gemel import images --into"):
        open_images(photos, str(photos))


@pytest.mark.parametrize("url", ["{}/gone", "store://gone"])
def test_archive_that_is_not_there_is_refused(photos: Path, url: str) -> None:
    empty_store()
    with pytest.raises(DataError, match=r"gone: no such archive, .*check images\.root and the mount"):
        open_images(photos.with_name("data"), url.format(photos))


def test_damaged_record_is_refused(photos: Path) -> None:
    record = photos.with_name("data") / RECORD
    record.write_bytes(record.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"images\.parquet: not a readable parquet file .*; remove it and run"):
        open_images(record.parent, str(photos))


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame({"image": ["a"]}),
        pl.DataFrame([("b", "", 1, "", ""), ("a", "", 1, "", "")], schema=RECORD_SCHEMA, orient="row"),
    ],
    ids=["columns", "order"],
)
def test_other_tables_are_no_record(photos: Path, table: pl.DataFrame) -> None:
    table.write_parquet(photos.with_name("data") / RECORD)
    with pytest.raises(DataError, match=r"images\.parquet: not a record of images as gemel import images writes it"):
        open_images(photos.with_name("data"), str(photos))


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    rows = [(name, "1", 5, "0" * 64, None) for name in ("b", "a")]
    write_record(tmp_path / "1", rows)
    write_record(tmp_path / "2", reversed(rows))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
