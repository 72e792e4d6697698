"""The record of an archive's images: what a first run writes, and what a later one reads again."""

from pathlib import Path

import fsspec
import polars as pl
import pytest
from archives import ObjectStore, empty_store
from tiny_dataset import WriteDataset, post

from gemel.core.errors import DataError
from gemel.core.image_archive import RECORD
from gemel.posts import images_import
from gemel.posts.images_import import ImagesReport, import_images

ROOT = "store://bucket"
NAMES = ("c.jpg", "a.jpg", "no.jpg", "b.jpg", "../x.jpg")


@pytest.fixture
def store() -> type[ObjectStore]:
    """Three pictures."""
    store = empty_store()
    put(a=b"1", b=b"2", c=b"3")
    return store


@pytest.fixture
def folder(write_dataset: WriteDataset) -> Path:
    """A data set that names them, a missing one and one outside."""
    return write_dataset([post(f"p{number}", "text", image=name) for number, name in enumerate(NAMES)])


def put(**files: bytes) -> None:
    for name, content in files.items():
        fsspec.filesystem("store").pipe(f"{ROOT}/{name}.jpg", content)


def read_again(store: type[ObjectStore], folder: Path) -> tuple[ImagesReport, list[str]]:
    store.read.clear()
    report = import_images(folder, ROOT)
    return report, [path.rsplit("/", 1)[1] for path in store.read]


@pytest.mark.usefixtures("store")
def test_every_image_that_posts_name_is_recorded(folder: Path) -> None:
    report = import_images(folder, ROOT)
    assert report == ImagesReport(5, new=3, changed=0, unchanged=0, missing=1, unreadable=1, no_longer_named=0)
    rows = {row["image"]: row for row in pl.read_parquet(folder / RECORD).iter_rows(named=True)}
    assert list(rows) == sorted(NAMES)
    assert (rows["a.jpg"]["etag"], rows["a.jpg"]["bytes"]) == ("c4ca4238a0b923820dcc509a6f75849b", 1)
    assert rows["a.jpg"]["sha256"] == "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    assert (rows["no.jpg"]["sha256"], rows["no.jpg"]["reason"]) == (None, "no such file")
    assert rows["../x.jpg"]["reason"] == "outside the archive"


def test_second_run_reads_nothing_and_gives_the_same_bytes(store: type[ObjectStore], folder: Path) -> None:
    import_images(folder, ROOT)
    before = (folder / RECORD).read_bytes()
    report, read = read_again(store, folder)
    assert (report.unchanged, report.new, read) == (3, 0, [])
    assert (folder / RECORD).read_bytes() == before


def test_only_changed_images_are_read_again(store: type[ObjectStore], folder: Path) -> None:
    import_images(folder, ROOT)
    put(a=b"9")
    report, read = read_again(store, folder)
    assert (report.changed, report.unchanged, read) == (1, 2, ["a.jpg"])


def test_image_that_was_only_touched_is_unchanged(store: type[ObjectStore], folder: Path) -> None:
    import_images(folder, ROOT)
    table = pl.read_parquet(folder / RECORD)
    table.with_columns(etag=pl.lit("other")).write_parquet(folder / RECORD)
    report, read = read_again(store, folder)
    assert (report.unchanged, sorted(read)) == (3, ["a.jpg", "b.jpg", "c.jpg"])


def test_image_that_came_later_is_new(store: type[ObjectStore], folder: Path) -> None:
    import_images(folder, ROOT)
    put(no=b"4")
    report, read = read_again(store, folder)
    assert (report.new, report.missing, read) == (1, 0, ["no.jpg"])


def test_image_that_is_gone_is_missing(store: type[ObjectStore], folder: Path) -> None:
    import_images(folder, ROOT)
    del store.store["/bucket/a.jpg"]
    assert import_images(folder, ROOT).missing == 2


@pytest.mark.usefixtures("store")
def test_image_that_no_post_names_any_more_leaves_the_record(folder: Path, write_dataset: WriteDataset) -> None:
    import_images(folder, ROOT)
    write_dataset([post("p", "text", image="a.jpg")])
    assert import_images(folder, ROOT).no_longer_named == 4
    assert pl.read_parquet(folder / RECORD)["image"].to_list() == ["a.jpg"]


@pytest.mark.usefixtures("store")
def test_without_etags_every_image_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.core.image_root._etag", lambda *_: None)
    import_images(folder, ROOT)
    put(a=b"9")
    assert import_images(folder, ROOT).changed == 1


def test_outage_keeps_what_was_recorded_and_the_next_run_goes_on(
    store: type[ObjectStore], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_import, "CHUNK", 2)
    store.failing = ConnectionError("no route"), "c.jpg"
    with pytest.raises(DataError, match=r"store://bucket/c\.jpg: the archive can't be reached"):
        import_images(folder, ROOT)
    store.failing = None
    report, read = read_again(store, folder)
    assert (report.unchanged, report.new) == (1, 2)
    assert "a.jpg" not in read


def test_lost_access_is_not_recorded_as_the_loss_of_all_images(store: type[ObjectStore], folder: Path) -> None:
    import_images(folder, ROOT)
    before = (folder / RECORD).read_bytes()
    store.failing = PermissionError("ExpiredToken"), None
    with pytest.raises(DataError, match=r"none of 3 images recorded as readable .*'a\.jpg': can't be read \(Expired"):
        import_images(folder, ROOT)
    assert (folder / RECORD).read_bytes() == before


def test_image_that_changes_while_it_is_read_is_unreadable(
    store: type[ObjectStore], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "cat_file", lambda *_, **__: b"")
    assert import_images(folder, ROOT).unreadable == 4


@pytest.mark.usefixtures("store")
def test_progress_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_import, "CHUNK", 3)
    told: list[tuple[int, int]] = []
    import_images(folder, ROOT, lambda done, total: told.append((done, total)))
    assert told == [(3, 5), (5, 5)]


def test_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data set"):
        import_images(tmp_path / "no", ROOT)
