"""One decoder for all images: what it makes of each kind, and what it refuses."""

import io
import os
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from gemel.core import images
from gemel.core.errors import ImageError
from gemel.core.image_bounds import MAX_PIXELS
from gemel.core.images import decode_image, read_image

# Pillow warns of much that it repairs in damaged files.
pytestmark = pytest.mark.filterwarnings("ignore")
RED = (200, 30, 40)


def saved(tmp_path: Path, image: Image.Image, name: str, **options: object) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff"])
def test_each_format_is_read_as_rgb(tmp_path: Path, suffix: str) -> None:
    image = read_image(saved(tmp_path, Image.new("RGB", (8, 6), RED), f"x.{suffix}"))
    assert (image.mode, image.size) == ("RGB", (8, 6))
    assert np.abs(np.asarray(image, dtype=int) - RED).max() <= 6


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA", "I;16"])
def test_each_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    name = "x.tiff" if mode == "CMYK" else "x.png"
    image = read_image(saved(tmp_path, Image.new(mode, (4, 4)), name))
    assert image.mode == "RGB"


def test_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (16, 16), RED).convert("CMYK"), "x.jpg", quality=95)
    assert np.abs(np.asarray(read_image(path), dtype=int) - RED).max() <= 12


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    picture = Image.new("RGB", (16, 8), "black")
    picture.paste("white", (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    image = read_image(saved(tmp_path, picture, "x.png", exif=exif))
    assert image.size == (8, 16)
    assert image.getpixel((4, 2)) == (255, 255, 255)
    assert image.getpixel((4, 13)) == (0, 0, 0)


def test_damaged_exif_leaves_the_picture_readable(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (4, 4), RED), "x.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_image(path).size == (4, 4)


def test_exif_rotation_is_applied_whatever_the_other_tags_hold() -> None:
    def tag(number: int, kind: int, count: int, value: bytes) -> bytes:
        return struct.pack("<HHI4s", number, kind, count, value)

    # Words where a resolution belongs: readable, but they can't be written again.
    tags = tag(0x0112, 3, 1, b"\6\0\0\0") + tag(0x011A, 2, 4, b"fine")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + tags + bytes(4)
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8), RED).save(buffer, "JPEG", exif=exif)
    assert decode_image(buffer.getvalue(), "photo").size == (8, 16)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_every_orientation_is_turned_as_pillow_does(tmp_path: Path, suffix: str, orientation: int) -> None:
    picture = Image.fromarray(np.arange(16 * 8 * 3, dtype=np.uint8).reshape(16, 8, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, picture, f"x.{suffix}", exif=exif)
    with Image.open(path) as image:
        expected = ImageOps.exif_transpose(image)
    np.testing.assert_array_equal(read_image(path), expected)


def test_transparent_parts_lie_on_white(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path, Image.new("RGBA", (2, 2), (*RED, 0)), "x.png")).getpixel((0, 0)) == (255,) * 3
    assert read_image(saved(tmp_path, Image.new("P", (2, 2)), "y.png", transparency=0)).getpixel((0, 0)) == (255,) * 3


def test_16_bit_gray_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    image = read_image(saved(tmp_path, Image.fromarray(values), "x.png"))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_float_image_is_stretched_and_bears_nan(tmp_path: Path) -> None:
    values = np.array([[0.0, 0.5, 1.0, np.nan, np.inf]], dtype=np.float32)
    image = read_image(saved(tmp_path, Image.fromarray(values), "x.tiff"))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 128, 255, 0, 255]


def test_large_float_image_is_stretched_by_its_range_as_a_whole(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 3_000 * 1_000, dtype=np.float32).reshape(3_000, 1_000)
    image = read_image(saved(tmp_path, Image.fromarray(values), "x.tiff"))
    np.testing.assert_array_equal(np.asarray(image)[:, :, 0], ((values + 1) / 2 * 255).round().astype(np.uint8))


def test_first_picture_of_a_jpeg_of_several_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    path = saved(tmp_path, frames[0], "x.mpo", save_all=True, append_images=frames[1:])
    assert np.abs(np.asarray(read_image(path), dtype=int) - (255, 0, 0)).max() <= 6


def test_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    path = saved(tmp_path, frames[0], "x.gif", save_all=True, append_images=frames[1:])
    assert read_image(path).getpixel((0, 0)) == (255, 0, 0)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for name in ("x.jpg", "x.png", "x.webp", "x.tiff"):
        path = saved(tmp_path, Image.fromarray(noise), name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ImageError, match=f"{name}: can't be decoded, the file may be damaged|{name}: not an image"):
            read_image(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7"])
def test_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"x\.jpg: not an image of JPEG, PNG"):
        read_image(path)


def test_format_outside_the_list_is_refused() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PPM")
    with pytest.raises(ImageError, match="upload: not an image of"):
        decode_image(buffer.getvalue(), "upload")


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_001, 14_000, 40_000])
def test_decompression_bomb_is_refused_before_decoding(side: int) -> None:
    with pytest.raises(ImageError, match=f"more than the {MAX_PIXELS} pixels allowed"):
        decode_image(png_of(side, side), "bomb")


def test_large_images_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = 0, 0
    to_rgb = images._to_rgb

    def slow_to_rgb(image: Image.Image) -> Image.Image:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.005)
        inside -= 1
        return to_rgb(image)

    monkeypatch.setattr(images, "_to_rgb", slow_to_rgb)
    monkeypatch.setattr(images, "LARGE_PIXELS", 7)
    buffer = io.BytesIO()
    Image.new("RGB", (4, 2), RED).save(buffer, "PNG")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: decode_image(buffer.getvalue(), "large"), range(8)))
    assert most == 1


def test_too_many_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, Image.new("RGB", (8, 8)), "x.bmp")
    monkeypatch.setattr(images, "MAX_BYTES", 100)
    with pytest.raises(ImageError, match=r"bytes, more than the 100 allowed; scale the image down"):
        read_image(path)
    with pytest.raises(ImageError, match=r"upload: .* bytes, more than the 100 allowed"):
        decode_image(b"x" * 101, "upload")


def test_absent_and_odd_paths_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "no.png", "no such file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path / ("x" * 300), "can't be read"),
        (tmp_path / "nul\0.png", "can't be read"),
    ):
        with pytest.raises(ImageError, match=words):
            read_image(path)
