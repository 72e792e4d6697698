"""Images on the page: chosen, pasted, dropped, removed, and scaled down if they are too large."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path

import pytest
from PIL import Image
from played_service import PAGE, PlayedService
from visits import Opener, link, linked

EXAMPLE = PAGE / "example.png"
PASTE = """(data) => {
    const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
    const kind = %s;
    document.getElementById("picture").dispatchEvent(kind);
}"""
PASTED = PASTE % 'new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })'
DROPPED = PASTE % 'new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })'


def noise(width: int, height: int, kind: str, **options: object) -> bytes:
    """An image file that can't be made small without being scaled down."""
    picture = Image.frombytes("RGB", (width, height), random.Random(0).randbytes(3 * width * height))
    picture.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def test_image_is_sent_as_it_is_and_can_be_removed(open_page: Opener, service: PlayedService) -> None:
    page = open_page()
    page.set_input_files("#file", EXAMPLE)
    assert page.inner_text("#file-name") == "example.png"
    assert page.eval_on_selector("#thumbnail", "(image) => image.decode().then(() => image.naturalWidth)") == 64
    linked(page)
    assert base64.b64decode(service.linked[0].image or "") == EXAMPLE.read_bytes()
    page.click("#remove")
    assert page.evaluate("document.activeElement.id") == "file"
    link(page)
    assert service.linked[1].image is None
    assert "No image was given" in page.inner_text(".card")


@pytest.mark.parametrize("way", [PASTED, DROPPED], ids=["pasted", "dropped"])
def test_image_is_taken_from_elsewhere(open_page: Opener, way: str) -> None:
    page = open_page()
    page.evaluate(way, base64.b64encode(EXAMPLE.read_bytes()).decode())
    assert page.inner_text("#file-name") == "pasted.png"


def test_file_that_is_no_image_is_refused(open_page: Opener, tmp_path: Path) -> None:
    page = open_page()
    (tmp_path / "notes.txt").write_text("x")
    page.set_input_files("#file", tmp_path / "notes.txt")
    assert page.inner_text("#error") == "notes.txt is no image but text/plain. Choose an image file."
    assert page.inner_text("#file-name") == ""


def test_large_image_is_scaled_down_upright(open_page: Opener, service: PlayedService) -> None:
    service.limits["image_bytes"] = 1_500_000
    page = open_page()
    turned = Image.Exif()
    turned[0x0112] = 6
    large = noise(2300, 600, "JPEG", quality=98, exif=turned)
    page.set_input_files("#file", {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": large})
    linked(page)
    sent = base64.b64decode(service.linked[0].image or "")
    assert len(sent) <= 1_500_000 < len(large)
    assert Image.open(io.BytesIO(sent)).size == (534, 2048)
    assert ", sent as " in page.inner_text("#file-size")


def test_large_image_lies_on_white(open_page: Opener, service: PlayedService) -> None:
    service.limits["image_bytes"] = 3000
    page = open_page()
    clear = Image.open(io.BytesIO(noise(40, 40, "PNG")))
    clear.putalpha(0)
    clear.save(file := io.BytesIO(), "PNG")
    page.set_input_files("#file", {"name": "clear.png", "mimeType": "image/png", "buffer": file.getvalue()})
    linked(page)
    sent = Image.open(io.BytesIO(base64.b64decode(service.linked[0].image or "")))
    assert sent.getextrema() == ((255, 255),) * 3


def test_large_file_that_is_not_understood_is_refused(open_page: Opener, service: PlayedService) -> None:
    service.limits["image_bytes"] = 1000
    page = open_page()
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"x" * 2000})
    page.fill("#text", "A Jaguar")
    link(page)
    assert page.inner_text("#error") == "a.png has 2 kB, and the service takes 1 kB at most. Scale it down."
    assert service.linked == []
