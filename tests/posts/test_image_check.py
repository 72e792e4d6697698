"""Hostile images among good ones: each is set aside with its reason, and the run goes on."""

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.hostile_images import ODDITIES
from gemel.core.image_files import ImageFolder
from gemel.posts import image_check
from gemel.posts.image_check import check_images

HOSTILE = ("empty", "pdf", "png of 40,000 x 40,000", "jpeg of 200 scans", "gif frame of 65,535 x 65,535")


def test_hostile_images_are_unreadable_with_their_reason(tmp_path: Path) -> None:
    for number, name in enumerate(HOSTILE):
        (tmp_path / f"{number}.jpg").write_bytes(ODDITIES[name].build())
    Image.new("RGB", (4, 4)).save(tmp_path / "good.jpg")
    names = [*(f"{number}.jpg" for number in range(len(HOSTILE))), "good.jpg"]
    *hostile, good = check_images(ImageFolder(tmp_path), names).values()
    assert (good.status, good.reason) == ("read", None)
    for name, check in zip(HOSTILE, hostile, strict=True):
        assert (check.status, check.sha256) == ("unreadable", None)
        assert ODDITIES[name].refused in check.reason
        assert str(tmp_path) not in check.reason


def test_images_beyond_the_queue_are_checked_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_check, "QUEUED", 2)
    Image.new("RGB", (4, 4)).save(tmp_path / "good.png")
    checks = check_images(ImageFolder(tmp_path), ["a.png", "good.png", "b.png", "good.png", "c.png", "d.png"])
    assert list(checks) == ["a.png", "good.png", "b.png", "c.png", "d.png"]
    assert [check.status for check in checks.values()] == ["missing", "read", "missing", "missing", "missing"]
