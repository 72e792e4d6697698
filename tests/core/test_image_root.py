"""A root of images: what may be read under it, and what is never reached by it."""

import hashlib
import os
from pathlib import Path

import fsspec
import pytest
from archives import ObjectStore, empty_store

from gemel.core import image_root
from gemel.core.errors import ConfigError, DataError, ImageError, ImageNotFoundError
from gemel.core.image_root import ImageRoot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture, and a secret beside it."""
    (tmp_path / "photos" / "1999").mkdir(parents=True)
    (tmp_path / "photos" / "1999" / "a.jpg").write_bytes(b"picture")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    return tmp_path / "photos"


@pytest.fixture
def store() -> type[ObjectStore]:
    store = empty_store()
    fsspec.filesystem("store").pipe("store://bucket/photos/1999/a.jpg", b"picture")
    return store


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}"])
def test_local_file_is_read_by_its_name(folder: Path, form: str) -> None:
    root = ImageRoot(form.format(folder))
    state = root.state("1999/a.jpg")
    assert (state.bytes, root.read("1999/a.jpg", state.bytes)) == (7, b"picture")


def test_relative_root_starts_from_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert ImageRoot("photos").read("1999/a.jpg", 7) == b"picture"


def test_local_file_that_was_touched_has_another_state(folder: Path) -> None:
    root = ImageRoot(str(folder))
    before = root.state("1999/a.jpg")
    os.utime(folder / "1999" / "a.jpg", (1, 1))
    assert root.state("1999/a.jpg") != before


@pytest.mark.usefixtures("store")
def test_object_has_the_etag_that_its_store_states() -> None:
    state = ImageRoot("store://bucket/photos").state("1999/a.jpg")
    assert state.etag == hashlib.md5(b"picture", usedforsecurity=False).hexdigest()


def test_file_system_without_etags_and_times_states_none(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("memory://photos/a.jpg", b"picture")

    def unknown(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(type(memory), "modified", unknown)
    assert ImageRoot("memory://photos").state("a.jpg") == image_root.FileState(None, 7)


OUTSIDE = [
    "../secret.jpg",
    "1999/../../secret.jpg",
    "..\\secret.jpg",
    "/etc/passwd",
    "C:\\secret.jpg",
    "C:secret.jpg",
    "%2e%2e/secret.jpg",
    "s3://bucket/a.jpg",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("url", ["{}", "store://bucket/photos"])
def test_name_can_not_lead_out_of_the_root(folder: Path, store: type[ObjectStore], url: str, name: str) -> None:
    with pytest.raises(ImageError, match="outside the archive"):
        ImageRoot(url.format(folder)).read(name, 6)
    assert store.read == []


@pytest.mark.parametrize("link", ["file", "folder"])
def test_local_link_can_not_lead_out_of_the_root(folder: Path, link: str) -> None:
    (folder / "file").symlink_to(folder.parent / "secret.jpg")
    (folder / "folder").symlink_to(folder.parent)
    with pytest.raises(ImageError, match=r"photos/.*: a link leads out of the archive"):
        ImageRoot(str(folder)).read("file" if link == "file" else "folder/secret.jpg", 6)


def test_local_link_inside_the_root_is_followed(folder: Path) -> None:
    (folder / "b.jpg").symlink_to(folder / "1999" / "a.jpg")
    assert ImageRoot(str(folder)).read("b.jpg", 7) == b"picture"


def test_root_may_be_a_link_itself(folder: Path) -> None:
    folder.with_name("mount").symlink_to(folder)
    assert ImageRoot(str(folder.with_name("mount"))).read("1999/a.jpg", 7) == b"picture"


def test_missing_file_is_said_to_be_missing(folder: Path) -> None:
    with pytest.raises(ImageNotFoundError, match=r"photos/no\.jpg: no such file"):
        ImageRoot(str(folder)).state("no.jpg")


@pytest.mark.parametrize("name", ["1999", "pipe"])
def test_what_is_no_regular_file_is_refused(folder: Path, name: str) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(ImageError, match="not a regular file"):
        ImageRoot(str(folder)).state(name)


def test_too_large_file_is_refused_unread(store: type[ObjectStore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_root, "MAX_BYTES", 6)
    with pytest.raises(ImageError, match=r"store://bucket/photos/1999/a\.jpg: 7 bytes, more than the 6 allowed"):
        ImageRoot("store://bucket/photos").state("1999/a.jpg")
    assert store.read == []


def test_file_of_unknown_size_is_refused(store: type[ObjectStore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "info", lambda *_: {"type": "file", "size": None})
    with pytest.raises(ImageError, match="doesn't state its size"):
        ImageRoot("store://bucket/photos").state("1999/a.jpg")


def test_empty_file_is_not_asked_for(store: type[ObjectStore]) -> None:
    assert ImageRoot("store://bucket/photos").read("1999/a.jpg", 0) == b""
    assert store.read == []


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 5_000, "1999/a.jpg/b.jpg"])
def test_name_that_no_file_can_have_is_the_image_s_fault(folder: Path, name: str) -> None:
    with pytest.raises(ImageError, match="can't be read"):
        ImageRoot(str(folder)).state(name)


def test_forbidden_file_is_the_image_s_fault(store: type[ObjectStore]) -> None:
    store.failing = PermissionError("AccessDenied"), None
    with pytest.raises(ImageError, match=r"can't be read \(AccessDenied\)"):
        ImageRoot("store://bucket/photos").state("1999/a.jpg")


@pytest.mark.parametrize("error", [ConnectionError("no route"), RuntimeError("no route")])
def test_outage_is_no_fault_of_an_image(store: type[ObjectStore], error: Exception) -> None:
    store.failing = error, None
    with pytest.raises(DataError, match=r"the archive can't be reached \(.*no route\); check the network") as caught:
        ImageRoot("store://bucket/photos").read("1999/a.jpg", 7)
    assert not isinstance(caught.value, ImageError)


@pytest.mark.parametrize(
    "url", ["s3://AKIA:se/cr+et@bucket/photos", "https://me:pass@host:8080/x", "https://host/x?sig=abc"]
)
def test_credentials_in_the_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="it holds a password or a query") as caught:
        ImageRoot(url)
    assert not any(word in str(caught.value) for word in ("AKIA", "et@", "me:", "sig"))


@pytest.mark.parametrize("url", ["https://host:8080/x@y", "sftp://me@host/photos", "s3://bucket/a:b@c", "/mnt/a:b@c?"])
def test_url_without_credentials_is_taken(url: str) -> None:
    assert ImageRoot(url).where("a.jpg") == f"{url}/a.jpg"


def test_unknown_kind_of_url_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"root of the images nonsense://x: fsspec can't open it .*gemel\[s3\]"):
        ImageRoot("nonsense://x").state("a.jpg")
