"""A manifest from elsewhere is refused if a file's name, its kind or the whole could do harm."""

import json
from pathlib import Path
from typing import Any

import pytest

from gemel.core.artifacts import MANIFEST, artifact_hash
from gemel.core.errors import ArtifactError
from gemel.transfer.listing import parse_listing

SHA256 = "0" * 64


def manifest(files: Any, **other: Any) -> bytes:
    whole = {"format": 1, "stage": "release", "facts": {"format": 2}, "files": files}
    return json.dumps(whole | other).encode()


def listed(*names: str) -> bytes:
    return manifest({name: {"bytes": 1, "sha256": SHA256} for name in names})


def test_release_is_listed_with_its_hash_and_size(tiny_release: Path) -> None:
    listing = parse_listing((tiny_release / MANIFEST).read_bytes(), "here")
    assert listing.digest == artifact_hash(tiny_release)
    assert listing.bytes == sum((tiny_release / name).stat().st_size for name in listing.files)


@pytest.mark.parametrize(
    "name",
    [
        "../x.json",
        "a/../../x.json",
        "/etc/x.json",
        "a\\..\\x.json",
        "C:/x.json",
        "~/x.json",
        "a//x.json",
        "",
        ".",
        "./x.json",
        ".hidden.json",
        "a/.git/x.json",
        "x.json\n",
        "x\x00.json",
        "a%2e%2e/x.json",
        "nul./x.json",
        "a" * 200 + ".json",
    ],
)
def test_name_that_is_no_plain_one_is_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match="which is no plain name inside a release; don't use it"):
        parse_listing(listed(name), "there")


@pytest.mark.parametrize("name", ["x.py", "x.pkl", "x.bin", "x.pt", "x.so", "x", "x.json.sh", "a/x.PY", "x.JSON"])
def test_other_kinds_of_files_are_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match=r"a release has files of the kinds \.json, .* as others could run code"):
        parse_listing(listed(name), "there")


SAME = [("a.json", "A.json"), ("a.json", "a.json/b.json"), ("manifest.json",), ("Manifest.json",)]


@pytest.mark.parametrize("names", SAME)
def test_names_that_would_be_one_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ArtifactError, match="two of its files would be one on the disk"):
        parse_listing(listed(*names), "there")


DAMAGED = [b"", b"{", b"[]", b"\xff", b'{"format": 1}', manifest([]), manifest({"a.json": 3}), b"[" * 100_000]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"there: manifest\.json is damaged"):
        parse_listing(content, "there")


@pytest.mark.parametrize("other", [{"stage": "mapper"}, {"format": 7}])
def test_other_artifact_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="expected a release, found format"):
        parse_listing(manifest({}, **other), "there")


@pytest.mark.parametrize(("size", "sha256"), [(-1, SHA256), (True, SHA256), ("1", SHA256), (1, "x"), (1, None)])
def test_file_without_size_and_hash_is_refused(size: object, sha256: object) -> None:
    with pytest.raises(ArtifactError, match="listed without a size and a SHA-256"):
        parse_listing(manifest({"a.json": {"bytes": size, "sha256": sha256}}), "there")


def test_newer_release_asks_for_a_newer_gemel() -> None:
    with pytest.raises(ArtifactError, match="there: format 3, written by a newer gemel"):
        parse_listing(manifest({}, facts={"format": 3}), "there")
