"""Pictures in the page, and the reasons where there is none."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_world import write_picture

from gemel.core.artifacts import file_sha256
from gemel.core.image_archive import RECORD, write_record
from gemel.report.thumbnails import LONGEST_SIDE, reason, thumbnails


def post(image: str | None, sha256: str | None = None, status: str = "read", why: str | None = None) -> dict[str, Any]:
    return {"image": image, "image_sha256": sha256, "image_status": status, "image_reason": why}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set with one picture, and the params.yaml of its workspace."""
    (tmp_path / "params.yaml").write_text("images: {}\n")
    folder = tmp_path / "data" / "made"
    (folder / "images").mkdir(parents=True)
    write_picture(folder / "images" / "a.png")
    return folder


def test_each_image_is_there_once_and_small(data: Path) -> None:
    Image.new("RGB", (900, 300), "red").save(data / "images" / "b.png")
    found = thumbnails([post("images/a.png", "a"), post("images/b.png", "b"), post("images/a.png", "a")], data)
    assert list(found.uris) == ["a", "b"]
    assert all(uri.startswith("data:image/webp;base64,") for uri in found.uris.values())
    assert len(found.uris["b"]) < LONGEST_SIDE * LONGEST_SIDE


def test_missing_file_is_a_reason(data: Path) -> None:
    posts = [post("images/gone.png", "a")]
    found = thumbnails(posts, data)
    assert not found.uris
    assert reason(posts[0], found).endswith("images/gone.png: no such file")


def test_each_status_has_its_reason(data: Path) -> None:
    none, vector, broken = (
        post(None, status="none"),
        post("a", "s", "vector"),
        post("a", status="unreadable", why="cut off"),
    )
    found = thumbnails([none, vector, broken], data)
    assert [reason(each, found) for each in (none, vector, broken)] == [
        "the post has no image",
        "only the image's vector was imported",
        "cut off",
    ]


def test_images_beyond_the_size_are_left_out_and_said(data: Path) -> None:
    write_picture(data / "images" / "b.png", (1, 2, 3))
    posts = [post("images/a.png", "a"), post("images/b.png", "b")]
    found = thumbnails(posts, data, most_bytes=1)
    assert (list(found.uris), reason(posts[1], found)) == (["a"], "left out to keep this page small")


def test_archive_is_read_and_its_absence_is_a_reason(data: Path, tmp_path: Path) -> None:
    (data / "images").rename(tmp_path / "images")
    image = tmp_path / "images" / "a.png"
    write_record(data / RECORD, [("images/a.png", None, image.stat().st_size, file_sha256(image), None)])
    posts = [post("images/a.png", "a")]
    assert "images.root is null" in reason(posts[0], thumbnails(posts, data))
    (tmp_path / "params.yaml").write_text(f"images: {{root: {tmp_path}}}\n")
    assert list(thumbnails(posts, data).uris) == ["a"]
